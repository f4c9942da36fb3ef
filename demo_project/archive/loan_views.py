"""Loans and their hand-over, as a sync view and as an async one, and both failing on purpose."""

from __future__ import annotations

from bson import ObjectId
from django.http import HttpRequest, HttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from demo_project.archive.lending import ahand_over, hand_over, hand_overs
from demo_project.archive.models import Loan, Person
from djongo_services.middleware import atomic_view

MOST = 50


@require_safe
def loans(request: HttpRequest) -> HttpResponse:
    lent = Loan.objects.filter(returned_on=None).prefetch_related("medium", "borrower")
    return render(request, "archive/loans.html", {"loans": lent[:MOST], "hand_overs": hand_overs()})


@require_safe
def loan(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    found = get_object_or_404(Loan.objects.prefetch_related("medium", "borrower"), pk=pk)
    people = Person.objects.filter(is_active=True).exclude(pk=found.borrower_id)[:MOST]
    return render(request, "archive/loan.html", {"loan": found, "people": people})


@require_POST
@atomic_view(retry=3)
def hand_over_loan(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    """Two visitors who hand over one loan at the same time conflict: the second request is run
    again, and then finds that the loan is no longer open."""
    lent = get_object_or_404(Loan, pk=pk, returned_on=None)
    borrower = get_object_or_404(Person, slug=request.POST.get("borrower", ""))
    new = hand_over(lent, borrower, timezone.localdate())
    return redirect("archive:loan", new.pk)


@require_POST
@atomic_view(retry=3)
async def ahand_over_loan(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    lent = await aget_object_or_404(Loan, pk=pk, returned_on=None)
    borrower = await aget_object_or_404(Person, slug=request.POST.get("borrower", ""))
    new = await ahand_over(lent, borrower, timezone.localdate())
    return redirect("archive:loan", new.pk)


@require_POST
def fail_to_hand_over(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    """Everything is written before the page fails; the status of its response undoes it."""
    new = hand_over_loan(request, pk)
    return _failed(request, pk, new)


@require_POST
async def afail_to_hand_over(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    new = await ahand_over_loan(request, pk)
    return _failed(request, pk, new)


def _failed(request: HttpRequest, pk: ObjectId, new: HttpResponse) -> HttpResponse:
    context = {"pk": pk, "address": new.headers["Location"]}
    return render(request, "archive/loan_failed.html", context, status=500)
