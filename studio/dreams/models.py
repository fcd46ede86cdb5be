"""Dreams, what is told of them, and the devices that dream."""

from __future__ import annotations

import uuid

from django.conf import settings
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


class Dream(models.Model):
    """A dream that somebody wants.

    A worker owns it while `claim` is the worker's and `lease` lies ahead; only who knows the claim
    changes a running dream, by an UPDATE that names it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="dreams")
    name = models.CharField(max_length=120)
    picture = models.ForeignKey(Picture, models.SET_NULL, null=True, blank=True)
    noise = models.CharField(max_length=13, blank=True)  #: WIDTHxHEIGHT, where there is no picture
    knobs = models.JSONField(default=dict)  #: settings that were given; pictures by their number
    suffix = models.CharField(max_length=5, default=".png")  #: of the output
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    queue = models.CharField(max_length=64, default=ANY)
    position = models.BigIntegerField(default=0)  #: in the queue; lower is sooner
    kind = models.CharField(max_length=4, blank=True)  #: cpu or cuda, once it has begun on one

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

    wish = models.CharField(max_length=6, blank=True)  #: pause or cancel, of who is dreaming it
    claim = models.UUIDField(null=True)
    lease = models.DateTimeField(null=True)
    device = models.CharField(max_length=64, blank=True)
    deaths = models.PositiveSmallIntegerField(default=0)  #: of workers in a row, without progress

    created = models.DateTimeField(auto_now_add=True)
    begun = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

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
        return settings.DATA / "dreams" / str(self.pk)

    @property
    def output(self):
        """The dreamt picture."""
        return self.folder / f"dream{self.suffix}"

    @property
    def is_film(self):
        """Whether it is dreamt frame by frame."""
        return "frames" in self.knobs

    @property
    def percent(self):
        """Of all work, rounded down: 100 is done."""
        return int(100 * self.share)

    @property
    def is_active(self):
        """Whether something is still to happen."""
        return self.state in ACTIVE

    def told(self):
        """Return what the web is told of it: a dict of plain values."""
        return {
            "id": str(self.pk), "state": self.state, "percent": round(100 * self.share, 1),
            "phase": self.phase, "octave": self.octave, "octaves": self.octaves,
            "seconds_left": self.seconds_left, "previews": self.previews, "device": self.device,
            "message": self.message,
        }  # fmt: skip


class Event(models.Model):
    """One thing told of a dream, for those who watch; kept for a while."""

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
