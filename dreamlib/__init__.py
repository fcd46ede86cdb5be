"""Deep dreams on Caffe networks: the 2015 notebook, in place and in bounded memory.

>>> import dreamlib
>>> dreamlib.run("sky.jpg", "deep.png", octaves=3, seed=1)  # doctest: +SKIP
"""

__version__ = "0.1.0"


def run(source, output=None, **settings):
    """Dream a picture file into another: what the command does, from Python.

    Parameters
    ----------
    source : str
        A picture, ``noise:WIDTHxHEIGHT``, or a clip.
    output : str, optional
        Its suffix chooses the format; by default ``STEM_dream.png`` in the current folder. With
        `frames`, a folder.
    **settings
        By the names in `dreamlib.settings.SETTINGS`: the command's flags with underscores.

    Returns
    -------
    dreamlib.jobs.run.Result, or dreamlib.jobs.frames.Result of a film

    Raises
    ------
    dreamlib.errors.DreamError
    """
    from dreamlib.jobs.clip import film_of
    from dreamlib.jobs.run import run_dream
    from dreamlib.settings import Settings

    source, settings = str(source), Settings(**settings)
    return (film_of(source, settings) or run_dream)(source, output, settings)
