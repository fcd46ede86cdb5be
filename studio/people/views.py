"""Logging in, passwords, and the administrator's view of the machines.

Views of Django: each takes the request.
"""

from __future__ import annotations

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.decorators.http import require_GET

from studio.dreams.devices import alive
from studio.dreams.models import Dream

#: Wrong passwords for one name until it has to wait, and for how many seconds.
TRIES, WAIT = 10, 300


class LoginForm(AuthenticationForm):
    """Django's, with a limit on guesses."""

    def clean(self):
        """Refuse a name for a while whose password was wrong too often."""
        key = f"login-{self.cleaned_data.get('username', '').lower()!r}"
        key = key.encode("utf-8").hex()[:200]
        if cache.get(key, 0) >= TRIES:
            raise ValidationError("Too many wrong passwords. Wait five minutes, then try again.")
        try:
            cleaned = super().clean()
        except ValidationError:
            cache.add(key, 0, WAIT)
            cache.incr(key)
            raise
        cache.delete(key)
        return cleaned


class Login(auth.LoginView):
    """Log in."""

    template_name, authentication_form = "login.html", LoginForm
    redirect_authenticated_user = True


class Password(auth.PasswordChangeView):
    """Change one's password."""

    template_name, success_url = "password.html", reverse_lazy("queue")


@staff_member_required(login_url="login")
@require_GET
def devices(request):
    """Show devices, and everybody's dreams."""
    active = Dream.objects.active().select_related("owner")
    return render(
        request, "devices.html",
        {"devices": alive(), "dreams": active.order_by("state", "position")[:500]},
    )  # fmt: skip
