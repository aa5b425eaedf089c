"""A checkpoint of the Hugging Face hub as a folder on this disk: the cache first, the network only for what it lacks.

Weights once fetched are never asked for again, so that a monitor starts, and starts the same, without network.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the HTTP client in use, which depends on the hub library's version
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from gend.errors import WeightsError
from gend.tensor_files import INDEX, TORCH_FILES, WHOLE, weights_files

_CONFIG = "config.json"
_TIMEOUT_S = 10


def checkpoint_folder(repo: str) -> Path:
    """The folder of `repo`'s weights, fetched where the cache lacks any of them.

    They are config.json with safetensors files, or where it has none the file that torch saved.

    Args:
        repo: Hub id, `owner/name`. Gated ones need a token in HF_TOKEN or of `hf auth login`.

    Raises:
        WeightsError: Where there is no such repository, it is gated, it holds no such files, or there is no network.
    """
    cached = _cached(repo)
    if cached is not None:
        return cached
    try:
        return _fetched(repo)
    except GatedRepoError as error:
        where = f"{constants.ENDPOINT}/{repo}"
        raise WeightsError(f"{repo}: gated; accept its terms at {where} and set HF_TOKEN to your token") from error
    except RepositoryNotFoundError as error:
        raise WeightsError(f"{repo}: not found on {constants.ENDPOINT} (or private: then set HF_TOKEN)") from error
    except HFValidationError as error:
        raise WeightsError(f"{repo}: not a hub id of the form owner/name") from error
    except OfflineModeIsEnabled as error:
        raise WeightsError(_absent(repo, "HF_HUB_OFFLINE is set")) from error
    except HfHubHTTPError as error:
        raise WeightsError(f"{repo}: {constants.ENDPOINT} answered {error.response.status_code}") from error
    except (HTTPError, EntryNotFoundError, OSError) as error:
        raise WeightsError(_absent(repo, f"fetching it failed ({_first_line(error)})")) from error


def _absent(repo: str, why: str) -> str:
    cache = constants.HF_HUB_CACHE
    return (
        f"{repo}: not in the cache at {cache}, and {why}; run `gend fetch {repo}` with network, or copy its cache here"
    )


def _cached(repo: str) -> Path | None:
    for name in (WHOLE, INDEX, *TORCH_FILES):
        try:
            path = try_to_load_from_cache(repo, name)
            if not isinstance(path, str):
                continue
            folder = Path(path).parent
            if name not in TORCH_FILES and not (folder / _CONFIG).is_file():
                continue
            weights_files(folder)
        except HFValidationError:
            return None  # said by the attempt to fetch it
        except WeightsError:
            continue  # a download was cut off
        return folder
    return None


def _fetched(repo: str) -> Path:
    # Asked once before any download: downloads retry for 23 s where there is no network, this does not.
    listing = [file.rfilename for file in HfApi().model_info(repo, timeout=_TIMEOUT_S).siblings or []]
    wanted = [name for name in listing if name == INDEX or ("/" not in name and name.endswith(".safetensors"))]
    if not wanted or _CONFIG not in listing:
        wanted = [name for name in TORCH_FILES if name in listing][:1]
    if not wanted:
        others = ", ".join(TORCH_FILES)
        raise WeightsError(f"{repo}: its repository holds neither {_CONFIG} with .safetensors weights nor {others}")
    for name in ([_CONFIG] if _CONFIG in listing else []) + wanted:
        path = hf_hub_download(repo, name)
    return Path(path).parent


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
