"""Which address is which page. Nothing in an address is ever a path of the file system."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import path
from django.views.generic import RedirectView

from studio.dreams import new, results, watch
from studio.dreams import views as dreams
from studio.people import views as people
from studio.pictures import tus
from studio.pictures import views as pictures

small_copies = [
    path(f"pictures/<uuid:pk>/{name}.jpg", pictures.copy, {"name": name}, name=f"picture-{name}")
    for name in ("thumbnail", "view")
]
deep_zooms = [
    one
    for side in ("before", "after")
    for one in (
        path(f"dreams/<uuid:pk>/{side}.dzi", results.beside,
             {"name": f"{side}.dzi", "lasting": True}, name=f"zoom-{side}"),
        path(f"dreams/<uuid:pk>/{side}_files/<int:level>/<int:column>_<int:row>.jpg", results.tile,
             {"side": side}, name=f"tile-{side}"),
    )
]  # fmt: skip

urlpatterns = [
    *small_copies,
    *deep_zooms,
    path("", RedirectView.as_view(pattern_name="queue")),
    path("login/", people.Login.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", people.Password.as_view(), name="password"),
    path("devices/", people.devices, name="devices"),
    path("people/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("people/", admin.site.urls),
    path("pictures/", pictures.library, name="library"),
    path("pictures/uploads/", tus.create, name="uploads"),
    path("pictures/uploads/<uuid:pk>/", tus.upload, name="upload"),
    path("pictures/<uuid:pk>/original/", pictures.original, name="picture-original"),
    path("pictures/<uuid:pk>/delete/", pictures.delete, name="picture-delete"),
    path("dreams/", dreams.queue, name="queue"),
    path("dreams/new/", new.new, name="new"),
    path("dreams/plan/", new.plan, name="plan"),
    path("dreams/try/", new.try_it, name="try"),
    path("dreams/events/", watch.events, name="events"),
    path("dreams/state/", watch.state, name="state"),
    path("dreams/<uuid:pk>/", results.dream, name="dream"),
    path("dreams/<uuid:pk>/preview.jpg", results.preview, name="preview"),
    path("dreams/<uuid:pk>/thumbnail.jpg", results.beside, {"name": "thumbnail.jpg"},
         name="dream-thumbnail"),
    path("dreams/<uuid:pk>/poster.jpg", results.beside, {"name": "view.jpg"}, name="poster"),
    path("dreams/<uuid:pk>/download/", results.download, name="download"),
    path("dreams/<uuid:pk>/film/", results.film, name="film"),
    path("dreams/<uuid:pk>/settings.toml", results.settings_file, name="settings-file"),
    path("dreams/<uuid:pk>/again/", results.again, name="again"),
    path("dreams/<uuid:pk>/<slug:action>/", dreams.act, name="act"),
    path("examples/<str:model>/layers.json", new.layers, name="layers"),
    path("examples/<str:model>/classes.json", new.classes, name="classes"),
    path("examples/<str:model>/layers/<int:number>.jpg", new.layer_example, name="layer-example"),
    path("examples/<str:model>/classes/<int:number>.jpg", new.class_example,
         name="class-example"),
]  # fmt: skip
