"""`/streams`: what is watched, and, for admins, streams added, edited, tried and removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from nicegui import ui

from monitor.access import Principal
from monitor.actions import Actions
from monitor.actions.added_streams import ConfiguredStream
from monitor.web.dashboard.frame import Framing, on_click
from monitor.web.dashboard.stream_form import StreamForm
from monitor.web.dashboard.texts import moment, part, text
from monitor.web.dashboard.visitor import Visitor
from monitor.web.proxies import client_address

_ABOUT = (
    "Streams of the configuration file are edited there, and taken over within seconds. Streams that are added here "
    "are kept in the database; where they may lead is said in the file, at web.added_streams."
)


def streams_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/streams")
    @framing.explains("/streams", "the streams")
    async def page(request: Request) -> None:
        visitor, who = await framing.visitor(request)
        streams = await actions.added_streams.all(who)
        adapters = [adapter.name for adapter in actions.adapters.all(who)]
        with framing.page(visitor, who, "Streams", "/streams", "streams.css"):
            ui.label(_ABOUT).classes("quiet")
            _Page(actions, visitor, client_address(request.scope), adapters).show(streams)


class _Page:
    """The list, and a form in front of it.

    Args:
        actions: what is shown and done.
        visitor: by whom.
        source: their address.
        adapters: names of the configured fine-tunes.
    """

    def __init__(self, actions: Actions, visitor: Visitor, source: str, adapters: list[str]) -> None:
        self._actions = actions
        self._visitor = visitor
        self._source = source
        self._adapters = adapters
        with ui.element("p").classes("row-of-buttons"):
            ui.button("Add a stream", icon="add", on_click=self._ask_to_add).props("unelevated no-caps")
        self._list = ui.element("div").classes("configured")

    def show(self, streams: list[ConfiguredStream]) -> None:
        """Lists them anew."""
        self._list.clear()
        with self._list:
            for stream in streams:
                self._card(stream)

    def _card(self, stream: ConfiguredStream) -> None:
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                if stream.watched:
                    ui.link(stream.name, f"/streams/{stream.name}")
                else:
                    ui.label(stream.name)
            ui.label(str(stream.settings["url"])).classes("address")
            _origin(stream)
            if stream.problem is not None:
                ui.label(stream.problem).classes("notice small").props('role="note"')
            if stream.origin == "added":
                with ui.element("div").classes("row-of-buttons"):
                    edit = ui.button("Edit", on_click=lambda: self._ask_to_change(stream))
                    edit.props(f'outline dense no-caps aria-label="Edit {stream.name}"')
                    remove = ui.button("Remove", on_click=lambda: self._ask_to_remove(stream))
                    remove.props(f'outline dense no-caps color=negative aria-label="Remove {stream.name}"')

    def _ask_to_add(self) -> None:
        self._open_form("Add a stream", None)

    def _ask_to_change(self, stream: ConfiguredStream) -> None:
        self._open_form(f"Edit {stream.name}", stream)

    def _open_form(self, title: str, stream: ConfiguredStream | None) -> None:
        with self._list, ui.dialog() as dialog, ui.card().classes("form-card"):
            with ui.element("h2"):
                ui.label(title)
            form = StreamForm(self._adapters, stream)
            with ui.element("div").classes("row-of-buttons"):
                ui.button("Save", on_click=self._acting(self._save(form, stream, dialog))).props("unelevated no-caps")
                ui.button("Try it", on_click=self._acting(self._try(form, stream))).props("outline no-caps")
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
        dialog.props(f'aria-label="{title}"')
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _ask_to_remove(self, stream: ConfiguredStream) -> None:
        async def remove(who: Principal) -> None:
            dialog.close()
            await self._actions.added_streams.remove(who, stream.name, self._source)
            await self._again(who, f"{stream.name} is removed")

        with self._list, ui.dialog() as dialog, ui.card().classes("form-card"):
            ui.label(f"Watch {stream.name} no more? Its alerts are kept.")
            with ui.element("div").classes("row-of-buttons"):
                ui.button("Remove", on_click=self._acting(remove)).props("unelevated no-caps color=negative")
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
        dialog.props(f'aria-label="Remove {stream.name}"')
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _save(
        self, form: StreamForm, stream: ConfiguredStream | None, dialog: ui.dialog
    ) -> Callable[[Principal], Awaitable[None]]:
        async def save(who: Principal) -> None:
            async with form.busy():
                if stream is None:
                    saved = await self._actions.added_streams.add(who, form.settings(), self._source)
                else:
                    settings = form.settings()
                    saved = await self._actions.added_streams.change(who, stream.name, settings, self._source)
                dialog.close()
                await self._again(who, f"{saved.name} is watched")

        return save

    def _try(self, form: StreamForm, stream: ConfiguredStream | None) -> Callable[[Principal], Awaitable[None]]:
        async def attempt(who: Principal) -> None:
            async with form.busy():
                # By its name what is hidden in the form is found.
                settings = {**({} if stream is None else {"name": stream.name}), **form.settings()}
                form.tell(await self._actions.added_streams.check(who, settings, self._source))

        return attempt

    async def _again(self, who: Principal, said: str) -> None:
        self.show(await self._actions.added_streams.all(who))
        with self._list:
            ui.notify(said, type="positive")

    def _acting(self, act: Callable[[Principal], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        return on_click(self._visitor, act)


def _origin(stream: ConfiguredStream) -> None:
    with part("p", "quiet small"):
        if stream.origin == "file":
            text("span", "from the configuration file")
            return
        text("span", f"added by {stream.by} on " if stream.at else f"added by {stream.by}")
        if stream.at:
            moment(stream.at)
