"""Evidence packages: lists, single files, whole packages, and whether they are as they were signed."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import Field

from monitor.actions import Actions
from monitor.actions.evidence import PackageView
from monitor.evidence import Verified
from monitor.stream_config import STREAM_NAME
from monitor.web.api.alerts import AlertId
from monitor.web.api.archive import zipped
from monitor.web.api.models import Sha256, Shape, Time
from monitor.web.api.problems import declared
from monitor.web.asking import Asking

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "pem": "application/x-pem-file",
}
_OTHER = "application/octet-stream"
# A package is shown beside pages that can do things: nothing in it may.
_HARMLESS = "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"

InPath = Annotated[str, Path(pattern=STREAM_NAME, description="Name of a stream.", examples=["lobby"])]
Package = Annotated[
    str,
    Path(
        pattern=r"^\d{8}T\d{6}Z-[0-9a-zA-Z_-]{1,64}$",
        description="Name of the package.",
        examples=["20260131T120005Z-47aa2bb277604211ae49fda10480d764"],
    ),
]
FileName = Annotated[str, Path(max_length=200, description="As the manifest has it.", examples=["crops/01.png"])]

_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {kind.partition(";")[0]: _BYTES for kind in _MEDIA_TYPES.values()}},
    206: {"description": "The part of it that `Range` asks for."},
    304: {"description": "It is as `If-None-Match` has it."},
    416: {"description": "It has no such part.", "content": {"text/plain": {"schema": {"type": "string"}}}},
}
_FILE[200]["content"] |= {_OTHER: _BYTES, "application/json": {"schema": {}}}
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "The package.", "content": {"application/zip": _BYTES}},
}


class FileShape(Shape):
    """A file of a package."""

    name: str
    sha256: Sha256
    bytes: int


class PackageShape(Shape):
    """An evidence package."""

    stream: str
    name: str
    created: Time
    signer: str = Field(description="Fingerprint of the key that its manifest names; see `verification`.")
    files: list[FileShape]

    @classmethod
    def of(cls, package: PackageView) -> Self:
        """The same."""
        files = [FileShape(name=name, sha256=entry.sha256, bytes=entry.bytes) for name, entry in package.files.items()]
        return cls(
            stream=package.stream, name=package.name, created=package.created, signer=package.signer, files=files
        )


class PackagesShape(Shape):
    """The packages of an alert."""

    items: list[PackageShape]


class FaultShape(Shape):
    """What is wrong with a file."""

    file: str
    what: str


class VerificationShape(Shape):
    """Whether a package is as it was signed."""

    intact: bool = Field(description="Every file is as this service's key has signed it.")
    signer: str | None = Field(description="Fingerprint of the key that has signed; null where the signature is bad.")
    signer_known: bool = Field(description="Whether that is this service's own key.")
    faults: list[FaultShape]

    @classmethod
    def of(cls, verified: Verified) -> Self:
        """The same, without the place on the disk."""
        return cls(
            intact=verified.intact,
            signer=verified.signer,
            signer_known=verified.signer_known,
            faults=[FaultShape(file=fault.file, what=fault.what) for fault in verified.faults],
        )


def evidence_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["evidence"])

    @router.get("/alerts/{alert_id}/evidence", responses=declared(404), summary="The packages of an alert")
    async def packages(asking: Asking, alert_id: AlertId) -> PackagesShape:
        found = await actions.evidence.packages(asking, alert_id)
        return PackagesShape(items=[PackageShape.of(package) for package in found])

    @router.get(
        "/evidence/{stream}/{package}/files/{name:path}",
        responses={**declared(404), **_FILE},
        response_class=Response,
        summary="One file",
    )
    async def file(asking: Asking, request: Request, stream: InPath, package: Package, name: FileName) -> Response:
        found = await actions.evidence.file(asking, stream, package, name)
        etag = f'"{found.sha256}"'
        headers = {"ETag": etag, "Content-Security-Policy": _HARMLESS}
        if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        media_type = _MEDIA_TYPES.get(name.rpartition(".")[2], _OTHER)
        return FileResponse(found.path, media_type=media_type, headers=headers)

    @router.get(
        "/evidence/{stream}/{package}/archive",
        responses={**declared(404), **_ZIP},
        response_class=Response,
        summary="The whole package as a ZIP file",
    )
    async def archive(asking: Asking, stream: InPath, package: Package) -> Response:
        files = await actions.evidence.files(asking, stream, package)
        headers = {"Content-Disposition": f'attachment; filename="{package}.zip"'}
        return StreamingResponse(zipped(package, files), media_type="application/zip", headers=headers)

    @router.get("/evidence/{stream}/{package}/verification", responses=declared(404), summary="Whether it is intact")
    async def verification(asking: Asking, stream: InPath, package: Package) -> VerificationShape:
        return VerificationShape.of(await actions.evidence.verification(asking, stream, package))

    return router
