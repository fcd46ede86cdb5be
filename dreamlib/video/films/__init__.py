"""Numbered frames into GIF, WebP, MP4 and WebM, in memory that does not grow with their number."""

from dreamlib.video.films.assembling import (
    FORMATS,
    ORDERS,
    assemble,
    check_film,
    find_frames,
    is_frame,
)

__all__ = ["FORMATS", "ORDERS", "assemble", "check_film", "find_frames", "is_frame"]
