"""Pictures in the library, and uploads that are on their way there."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Picture(models.Model):
    """A picture that can be dreamt; its files lie in a folder named by its number alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="pictures", db_index=True
    )
    name = models.CharField(max_length=120)
    suffix = models.CharField(max_length=5)  #: of its format, never of its name
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    bits = models.PositiveSmallIntegerField(default=8)  #: of a channel
    bytes = models.BigIntegerField()
    added = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-added",)

    def __str__(self):
        return self.name

    @property
    def folder(self):
        """Where its files are."""
        return settings.DATA / "pictures" / str(self.pk)

    @property
    def file(self):
        """The picture itself."""
        return self.folder / f"original{self.suffix}"

    @property
    def megapixels(self):
        """Millions of pixels."""
        return self.width * self.height / 1e6


class Upload(models.Model):
    """A file of which a part may have arrived: the size of the part tells how much."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    name = models.CharField(max_length=120)
    bytes = models.BigIntegerField()
    begun = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.name

    @property
    def part(self):
        """Where it is collected."""
        return settings.DATA / "uploads" / f"{self.pk}.part"
