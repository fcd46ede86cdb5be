"""Headers that keep a browser from doing for a page what the studio never asks it to."""

from __future__ import annotations

#: Of an inline style that says nothing: OpenSeadragon adds its own unless it finds such a one.
NOTHING = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

#: Everything comes from here; the one thing beside is a blob, which a tried region is shown from.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self'; script-src 'self'; "
    f"style-src 'self' {NOTHING}; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class SecurityHeaders:
    """Middleware that adds them to every answer."""

    def __init__(self, get_response):
        self._get_response = get_response

    def __call__(self, request):
        """Answer the request."""
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=()"
        )
        if request.user.is_authenticated and not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
