"""How a form that uploads is answered: to a browser, or to the page's script."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse


def wants_json(request: HttpRequest) -> bool:
    """Whether the page's script asks."""
    return request.headers.get("Accept", "").startswith("application/json")


def sent_to(request: HttpRequest, url: str) -> HttpResponse:
    return JsonResponse({"url": url}) if wants_json(request) else HttpResponseRedirect(url)
