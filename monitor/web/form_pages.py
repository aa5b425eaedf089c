"""Pages that are a single form (log in, change a password): one answer each, no scripts, nothing loaded."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from string import Template

_STYLE = """
:root { color-scheme: light dark; --ground: #f4f5f7; --sheet: #fff; --ink: #1b1f24; --dim: #545d68; --line: #7d8590;
  --main: #0b57d0; --on-main: #fff; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #101418; --sheet: #1a1f25; --ink: #e6eaef; --dim: #a3acb7;
  --line: #7d8793; --main: #8ab4f8; --on-main: #0b1a33; --wrong: #ff9d95; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; padding: 2rem 1.5rem; background: var(--sheet); border-radius: .75rem; }
h1 { margin: 0; font-size: 1.4rem; }
p { margin: .25rem 0 1.25rem; color: var(--dim); }
p.wrong { padding: .6rem .8rem; border: 1px solid currentcolor; border-radius: .4rem; color: var(--wrong); }
label { display: block; margin: 1rem 0 .3rem; font-weight: 600; }
input { width: 100%; padding: .65rem .75rem; font: inherit; color: inherit; background: var(--ground);
  border: 1px solid var(--line); border-radius: .4rem; }
button { width: 100%; margin-top: 1.5rem; padding: .7rem; font: inherit; font-weight: 600; color: var(--on-main);
  background: var(--main); border: 0; border-radius: .4rem; cursor: pointer; }
input:focus-visible, button:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
"""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title - gend-monitor</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$heading</h1>
<p>$lead</p>
$wrong<form method="post" action="$action">
$fields<button type="submit">$title</button>
</form>
</main>
</body>
</html>
""")
_LOGIN_FIELDS = Template("""<input type="hidden" name="next" value="$next">
<label for="name">User name</label>
<input id="name" name="name" value="$name" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="63" required$focus_name>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="256"
 required$focus_password>
""")
_PASSWORD_FIELDS = Template("""<input type="hidden" name="csrf_token" value="$csrf">
<input type="text" name="username" value="$name" autocomplete="username" readonly hidden>
<label for="current">Current password</label>
<input id="current" name="current" type="password" autocomplete="current-password" maxlength="256" required autofocus>
<label for="password">New password, at least 12 characters</label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="12" maxlength="256"
 required>
<label for="again">The same again</label>
<input id="again" name="again" type="password" autocomplete="new-password" maxlength="256" required>
""")

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of these pages: their own style, their own form, and nothing else."""


def login_page(next_path: str, name: str = "", wrong: str | None = None) -> str:
    """The page as HTML.

    Args:
        next_path: where to go afterwards; one of ours.
        name: what was typed before.
        wrong: what to say of the try before; None where there was none.
    """
    focus = ("", " autofocus") if name else (" autofocus", "")
    fields = _LOGIN_FIELDS.substitute(
        next=escape(next_path), name=escape(name), focus_name=focus[0], focus_password=focus[1]
    )
    return _page(
        "Log in", "gend-monitor", "Log in to see what is watched.", action="/login", fields=fields, wrong=wrong
    )


def password_page(name: str, csrf: str, wrong: str | None = None) -> str:
    """The page as HTML.

    Args:
        name: of the user.
        csrf: token of their session.
        wrong: what to say of the try before; None where there was none.
    """
    fields = _PASSWORD_FIELDS.substitute(csrf=escape(csrf), name=escape(name))
    lead = f"You are logged in as {name}. All your logins end, and you log in by the new password."
    return _page("Change password", "Change your password", lead, action="/password", fields=fields, wrong=wrong)


def _page(title: str, heading: str, lead: str, *, action: str, fields: str, wrong: str | None) -> str:
    told = "" if wrong is None else f'<p class="wrong" role="alert">{escape(wrong)}</p>\n'
    return _PAGE.substitute(
        style=_STYLE, title=title, heading=heading, lead=escape(lead), wrong=told, action=action, fields=fields
    )
