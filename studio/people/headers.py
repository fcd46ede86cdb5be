"""Headers that forbid a browser all that the studio's pages do not need."""

from __future__ import annotations

#: Hash of an empty inline style: OpenSeadragon adds its own unless it finds such a one.
NOTHING = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

#: Everything comes from here, but for a blob: the picture of a trial.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self'; script-src 'self'; "
    f"style-src 'self' {NOTHING}; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class SecurityHeaders:
    """Middleware that adds them to every answer.

    Parameters
    ----------
    get_response : callable
        Django's.
    """

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
