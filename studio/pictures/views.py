"""The library.

Views of Django: each takes the request, and the parts of the address that `studio.urls` names.
"""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from dreamlib import DreamError
from studio.pictures.library import remove
from studio.pictures.models import Picture
from studio.sending import send

PAGE = 60


@require_GET
def library(request):
    """Show one's pictures, and where to put more."""
    pictures = Paginator(Picture.objects.filter(owner=request.user), PAGE)
    return render(request, "library.html", {"page": pictures.get_page(request.GET.get("page"))})


@require_GET
def copy(request, pk, name):
    """Send a small copy: thumbnail or view."""
    picture = get_object_or_404(Picture, pk=pk, owner=request.user)
    return send(picture.folder / f"{name}.jpg", lasting=True)


@require_GET
def original(request, pk):
    """Send the picture as it came."""
    picture = get_object_or_404(Picture, pk=pk, owner=request.user)
    return send(picture.file, download_as=picture.name, request=request)


@require_POST
def delete(request, pk):
    """Take a picture out of the library."""
    picture = get_object_or_404(Picture, pk=pk, owner=request.user)
    try:
        remove(picture)
    except DreamError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{picture.name} is deleted.")
    return redirect("library")
