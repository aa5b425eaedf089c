"""Errors of the detector. Each message is one line that names the file, tensor or picture at fault."""


class GendError(Exception):
    """Base of everything `gend` raises on purpose."""


class ConfigError(GendError):
    """A configuration says something that cannot be carried out. One line per fault."""


class WeightsError(GendError):
    """Weights cannot be found, read or mapped onto the encoder."""


class FetchError(GendError):
    """A model or picture cannot be fetched, or is not the file it should be."""


class PictureError(GendError):
    """A picture, video or crop cannot be used."""
