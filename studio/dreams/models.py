"""Dreams, their events, and the devices that dream."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from django.conf import settings as site
from django.db import models

from studio.pictures.models import Picture

ANY = "any"  #: the queue that every device looks at


class State(models.TextChoices):
    """Where a dream is."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (State.RUNNING, State.QUEUED, State.PAUSED)
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


class DreamQuerySet(models.QuerySet):
    """Some dreams."""

    def active(self):
        """Those that are not over."""
        return self.filter(state__in=ACTIVE)


class Dream(models.Model):
    """A dream that somebody wants.

    A worker owns it while `claim` is the worker's and `lease` lies ahead; only who knows the claim
    changes a running dream, by an UPDATE that names it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(site.AUTH_USER_MODEL, models.CASCADE, related_name="dreams")
    name = models.CharField(max_length=120)
    picture = models.ForeignKey(Picture, models.SET_NULL, null=True, blank=True)
    noise = models.CharField(max_length=13, blank=True)  #: WIDTHxHEIGHT, where there is no picture
    settings = models.JSONField(default=dict)  #: those that were given; pictures by their number
    suffix = models.CharField(max_length=5, default=".png")  #: of the output
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    queue = models.CharField(max_length=64, default=ANY)
    position = models.BigIntegerField(default=0)  #: in the queue; lower is sooner
    kind = models.CharField(max_length=8, blank=True)  #: of the device that it has begun on

    share = models.FloatField(default=0)  #: of all work, 0 to 1
    phase = models.CharField(max_length=40, blank=True)
    octave = models.PositiveSmallIntegerField(default=0)
    octaves = models.PositiveSmallIntegerField(default=0)
    seconds_left = models.FloatField(null=True)
    previews = models.PositiveIntegerField(default=0)  #: how many have been written
    seconds = models.FloatField(default=0)  #: spent on it
    width = models.PositiveIntegerField(null=True)  #: of the output
    height = models.PositiveIntegerField(null=True)
    message = models.TextField(blank=True)  #: why it failed

    request = models.CharField(max_length=6, blank=True)  #: to who dreams it: pause or cancel
    claim = models.UUIDField(null=True)
    lease = models.DateTimeField(null=True)
    device = models.CharField(max_length=64, blank=True)
    crashes = models.PositiveSmallIntegerField(default=0)  #: of workers in a row, without progress

    created = models.DateTimeField(auto_now_add=True)
    begun = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

    objects = DreamQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=("state", "position")),
            models.Index(fields=("owner", "-created")),
        )

    def __str__(self):
        return self.name

    @property
    def folder(self):
        """Where its files are."""
        return site.DATA / "dreams" / str(self.pk)

    @property
    def output(self):
        """The dreamt picture."""
        return self.folder / f"dream{self.suffix}"

    @property
    def is_film(self):
        """Whether it is dreamt frame by frame."""
        return "frames" in self.settings

    @property
    def percent(self):
        """Of all work, rounded down: 100 is done."""
        return int(100 * self.share)

    @property
    def is_active(self):
        """Whether something is still to happen."""
        return self.state in ACTIVE

    @property
    def preview(self):
        """The file that shows it while it is dreamt, once there is one."""
        return Path(f"{self.output}.preview.jpg")

    def discard_work(self):
        """Remove what an unfinished dream would be resumed from."""
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self.preview.unlink(missing_ok=True)

    def uses(self, picture):
        """Tell whether it is made of a picture of the library, or has it in its settings.

        Parameters
        ----------
        picture : Picture

        Returns
        -------
        bool
        """
        return self.picture_id == picture.pk or str(picture.pk) in self.settings.values()

    def as_event(self):
        """Return its state for those who watch: a dict of plain values."""
        return {
            "id": str(self.pk), "state": self.state, "percent": round(100 * self.share, 1),
            "phase": self.phase, "octave": self.octave, "octaves": self.octaves,
            "seconds_left": self.seconds_left, "previews": self.previews, "device": self.device,
            "message": self.message,
        }  # fmt: skip


class Event(models.Model):
    """A change of a dream, for those who watch; kept for a while."""

    dream = models.ForeignKey(Dream, models.CASCADE)
    owner_id = models.BigIntegerField()
    data = models.JSONField()
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self):
        return f"{self.dream_id} {self.data}"


class Device(models.Model):
    """A device with a worker, as the worker last described it."""

    name = models.CharField(max_length=64)  #: its queue
    worker = models.CharField(max_length=120, unique=True)  #: host and process
    model = models.CharField(max_length=120, blank=True)
    memory_total = models.BigIntegerField(null=True)
    memory_used = models.BigIntegerField(null=True)
    temperature = models.FloatField(null=True)  #: degrees Celsius, where the driver tells
    seen = models.DateTimeField()

    class Meta:
        ordering = ("name", "worker")

    def __str__(self):
        return self.name
