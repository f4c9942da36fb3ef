"""The site, and what the debug toolbar needs."""

from debug_toolbar.toolbar import debug_toolbar_urls
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.transaction.packages.site import urlpatterns as site_urls


def show(request: HttpRequest) -> bool:
    return True


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<html><body></body></html>")


urlpatterns = [*site_urls, path("page/", page), *debug_toolbar_urls()]
