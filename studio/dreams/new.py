"""A new dream: its form, its plan, a trial of it, and layers and classes to choose from.

Views of Django: each takes the request, and the parts of the address that `studio.urls` names.
"""

from __future__ import annotations

import tempfile
import threading
import uuid
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dreamlib import DreamError, find_class, find_model, list_models
from studio.children import ask
from studio.dreams import examples
from studio.dreams.dream_settings import values_for
from studio.dreams.forms import FILMS, DreamForm, initial_of, output_of
from studio.dreams.models import Dream
from studio.dreams.presets import presets
from studio.dreams.queue import enqueue
from studio.pictures.models import Picture
from studio.sending import send

#: Seconds that a trial and a plan may take, limits of a region's sides, and the number of trials
#: and plans that run at once.
TRY_SECONDS, PLAN_SECONDS, LEAST_REGION, MOST_REGION = 180, 120, 64, 768
_room = threading.BoundedSemaphore(2)

#: Proposals for a film.
CHAINS = (
    "zoom:0.05", "zoom:0.03, rotate:1.5", "zoom:0.03, rotate:1.5, hue:2", "zoom:-0.03",
    "shift:4,0", "roll:rows:sine(4,80)", "none",
)  # fmt: skip
VARIATIONS = ("step_size:0.5..2", "step_size:0.8~2/25", "octaves:2..5", "iterations:4~12/20")

#: Classes that a search shows.
MOST_CLASSES = 20


@require_http_methods(["GET", "POST"])
def new(request):
    """Show the form, filled in as the address asks for; or queue its dream."""
    if request.method == "POST":
        form = DreamForm(request.user, request.POST)
        if form.is_valid():
            dream = _dream_of(request.user, form.cleaned_data)
            enqueue(dream)
            return redirect("dream", dream.pk)
    else:
        form = DreamForm(request.user, initial=_initial(request))
    model = form["model"].value() or find_model(None).name
    examples.prepare(model)
    pictures = Picture.objects.filter(owner=request.user).only("id", "width", "height")
    sizes = {str(picture.pk): [picture.width, picture.height] for picture in pictures}
    return render(
        request, "new.html",
        {
            "form": form, "presets": presets(), "sizes": sizes, "default_model": model,
            "chains": CHAINS, "variations": VARIATIONS,
            "region": [LEAST_REGION, MOST_REGION], "status": 422 if form.errors else 200,
        },
        status=422 if form.errors else 200,
    )  # fmt: skip


def _initial(request):
    """Return the form's initial values: an earlier dream's settings, a preset, a picture."""
    initial, values = {}, {}
    like = _uuid(request.GET.get("like"))
    if like:
        dream = Dream.objects.filter(pk=like, owner=request.user).first()
        if dream:
            values = dream.settings
            initial = {
                "picture": dream.picture_id, "noise": dream.noise, "queue": dream.queue,
                "suffix": output_of(dream.suffix, values),
            }  # fmt: skip
    if request.GET.get("preset") in presets():
        values = presets()[request.GET["preset"]]
    initial.update(initial_of(values))
    if "frames" in values and initial.get("suffix") not in FILMS:
        initial["suffix"] = ".mp4"
    picture = Picture.objects.filter(
        pk=_uuid(request.GET.get("picture")), owner=request.user
    ).first()
    if picture:
        initial.update(picture=picture.pk, noise="")
        if "frames" not in values:
            suffix = picture.suffix
            initial["suffix"] = suffix if suffix in (".jpg", ".tif", ".webp") else ".png"
    return initial


def _uuid(text):
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def _dream_of(user, cleaned):
    picture = cleaned["picture"]
    return Dream(
        owner=user, picture=picture, noise="" if picture else cleaned["noise"],
        name=cleaned["name"] or (picture.name if picture else f"noise {cleaned['noise']}"),
        settings=cleaned["settings"], suffix=cleaned["suffix"], queue=cleaned["queue"],
    )  # fmt: skip


def _order(user, cleaned, kind):
    """Make the order of a trial or a plan."""
    picture = cleaned["picture"]
    source = str(picture.file) if picture else f"noise:{cleaned['noise']}"
    gpu = settings.TRIAL_DEVICE.rpartition("cuda:")[2] if "cuda:" in settings.TRIAL_DEVICE else None
    try:
        values = values_for(user.pk, cleaned["settings"])
    except FileNotFoundError as error:
        raise DreamError("a picture of these settings is not in the library any more") from error
    return {
        "kind": kind, "source": source, "values": values, "suffix": cleaned["suffix"],
        "gpu": None if gpu is None else 0,
    }, gpu  # fmt: skip


def _cleaned(request):
    """Return a form's values and None; or None and an answer that names its errors."""
    form = DreamForm(request.user, request.POST)
    if form.is_valid():
        return form.cleaned_data, None
    wrong = "; ".join(
        f"{form.fields[name].label if name in form.fields else name}: {error}"
        for name, errors in form.errors.items()
        for error in errors
    )
    return None, JsonResponse({"error": wrong}, status=422)


def _ask(order, seconds, gpu):
    """Have a child answer, unless too many do so already."""
    if not _room.acquire(timeout=seconds / 4):
        raise DreamError("others are trying things right now; try again in a moment")
    try:
        return ask(order, seconds, gpu)
    finally:
        _room.release()


@require_POST
def plan(request):
    """Tell time, memory and disk of the form's dream, as a table."""
    cleaned, refusal = _cleaned(request)
    if refusal:
        return refusal
    try:
        order, gpu = _order(request.user, cleaned, "plan")
        return JsonResponse({"plan": _ask(order, PLAN_SECONDS, gpu)["plan"]})
    except DreamError as error:
        return JsonResponse({"error": _public(error)}, status=422)


@require_POST
def try_it(request):
    """Dream a region of the picture now, and answer with it as a PNG."""
    cleaned, refusal = _cleaned(request)
    if refusal:
        return refusal
    picture = cleaned["picture"]
    try:
        if picture is None:
            raise DreamError("choose a picture; noise has no part to be tried")
        order, gpu = _order(request.user, cleaned, "try")
        order["size"] = [picture.width, picture.height]
        order["region"] = _region(request.POST.get("try_region", ""), order["size"])
        with tempfile.TemporaryDirectory() as folder:
            order["output"] = f"{folder}/trial.png"
            seconds = _ask(order, TRY_SECONDS, gpu)["seconds"]
            pixels = Path(order["output"]).read_bytes()
    except DreamError as error:
        return JsonResponse({"error": _public(error)}, status=422)
    return HttpResponse(pixels, content_type="image/png", headers={"X-Seconds": f"{seconds:.1f}"})


def _region(text, size):
    """Read LEFT,TOP,WIDTH,HEIGHT, and bring it within the picture and the limits of a trial."""
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise DreamError("choose a region of the picture first") from error
    width, height = (
        min(max(side, LEAST_REGION), MOST_REGION, whole)
        for side, whole in zip((width, height), size)
    )
    left = min(max(left, 0), size[0] - width)
    top = min(max(top, 0), size[1] - height)
    return [left, top, width, height]


def _public(error):
    """Take the server's folders out of a message."""
    return str(error).replace(str(settings.DATA), "").replace(tempfile.gettempdir(), "")


# Layers and classes


def _known(model):
    if model not in {known.name for known in list_models() if known.has_weights}:
        raise Http404
    return model


@require_GET
def layers(request, model):
    """List a model's layers, and which have an example."""
    return JsonResponse(examples.layers(_known(model)))


@require_GET
def layer_example(request, model, number):
    """Send a layer's example."""
    return send(examples.folder(_known(model)) / f"{number}.jpg")


@require_GET
def classes(request, model):
    """Find classes by a word."""
    labels = examples.labels(_known(model))
    wanted = request.GET.get("q", "").strip()[:100]
    found = find_class(labels, wanted) if wanted and labels else list(enumerate(labels))
    return JsonResponse(
        {"classes": [{"number": n, "name": name} for n, name in found[:MOST_CLASSES]]}
    )


@require_GET
def class_example(request, model, number):
    """Send a class's example; draw it the first time."""
    if number >= len(examples.labels(_known(model))):
        raise Http404
    try:
        return send(examples.class_picture(model, number), lasting=True)
    except DreamError as error:
        raise Http404 from error
