"""Deep dreams on Caffe networks: the 2015 notebook, in place and in bounded memory.

>>> import dreamlib
>>> dreamlib.run("sky.jpg", "deep.png", octaves=3, seed=1)  # doctest: +SKIP

Scripts and the studio use what this page names, `dreamlib.dream` (the notebook's two functions, on
arrays) and `dreamlib.pycaffe` (Caffe's own API), nothing else. Names are imported when asked for.
"""

from importlib import import_module

from dreamlib.util.threads import settle_threads

settle_threads()  # here, since whatever loads PyTorch and its OpenMP comes later

__version__ = "0.1.0"

#: Name -> where it is defined.
_PLACES = {
    # Settings
    "SETTINGS": "settings:SETTINGS",  # the table: name, type, range, default and help of each
    "BY_NAME": "settings:BY_NAME",  # the same as a dict
    "Settings": "settings:Settings",  # a checked value for each
    "load_config": "config:load_config",  # from TOML, JSON or a dreamt picture
    "save_config": "config:save_config",  # to TOML or JSON
    "preset_names": "config:preset_names",  # named settings to begin with
    "load_preset": "config:load_preset",  # those of one, for a model
    "to_toml": "settings:to_toml",  # as a text
    # A picture, from file to file
    "prepare": "jobs.prepare:prepare",  # all that can be refused is; returns a job
    "Dream": "jobs.dreaming:Dream",  # a dream to be watched, of paths, arrays and images
    "Panel": "jobs.panel:Panel",  # sliders for a notebook, where ipywidgets is installed
    "plan_job": "jobs.plan:plan",  # time, memory and disk of a job, as a table
    "run_job": "jobs.run:run",  # dreams it, and tells a listener how far it is
    "unfinished": "jobs.resume:unfinished",  # whether a folder holds what can be resumed
    "REGION_CONTEXT": "tiling.octaves:CONTEXT",  # pixels around a region that are dreamt with it
    "Report": "util.progress:Report",  # what a listener is told
    "Left": "util.progress:Left",  # raised where a listener wanted the dream to be left
    # A film
    "run_frames": "jobs.frames:run_frames",  # dreams its frames into a folder
    "parse_variations": "jobs.keyframes:parse_variations",  # of the setting `vary`
    "files_of": "ascent.objective_parser:files_of",  # that a mixture of layers, or a guide, names
    "settings_at": "jobs.keyframes:settings_at",  # those of one frame
    "parse_distortions": "video.distort:parse_chain",  # of the setting `distort`
    "distortion_forms": "video.distort:forms",  # name, form and help of each distortion
    "DISTORTIONS_WITHOUT_CODE": "video.distort:WITHOUT_CODE",  # distortions that run nobody's code
    "find_frames": "video.frame_folder:find_frames",  # in a folder
    "check_film": "video.encode:check_film",  # refuses a film that could not be written
    "assemble_film": "video.encode:assemble",  # makes a film of frames
    "DEFAULT_FPS": "jobs.film_output:FPS",  # frames in a second, where nothing else is said
    "VIDEO_FORMATS": "video.encode:VIDEO",  # suffixes of films that a browser plays with controls
    # Networks
    "find_model": "models.zoo:find_model",  # by name or folder
    "list_models": "models.zoo:list_models",
    "find_class": "models.labels:find_class",  # among a model's labels, by a word
    "layer_examples": "jobs.contact_sheet:layer_examples",  # a small dream in every layer
    "script_presets": "ascent.octave_script:preset_names",  # what `script` can be, beside files
    # Still pictures
    "Window": "imaging.picture:Window",  # a part of a picture
    "clouds": "imaging.samples:clouds",  # a generated picture of a sky
    "open_header": "imaging.pillow_io:open_header",  # what a file is, without decoding it
    "open_picture": "imaging.open_save:open_picture",  # to be read by strips if it is large
    "load_picture": "imaging.pillow_io:load_picture",  # as a whole
    "save_picture": "imaging.open_save:save_picture",  # with the settings in it
    "shrink": "imaging.picture:shrunken",  # a small copy of a picture of any size
    "cut_out": "imaging.vips.cutting:cut_out",  # a part of a file into another
    "deep_zoom": "imaging.vips.cutting:deep_zoom",  # tiles for a viewer
    # Errors, files, processes
    "DreamError": "errors:DreamError",  # something that the user can mend: the message says how
    "ClusterAway": "errors:ClusterAway",  # a cluster does not answer, now or any more
    "written_whole": "util.atomic_write:written_whole",  # a file, or nothing of it
    "child_environment": "util.subprocesses:environment",  # in which a child finds this dreamlib
    "MessageReader": "util.json_lines:Reader",  # messages from another process of ours
    "send_message": "util.json_lines:send",  # a message to it
    "own_stdout": "util.json_lines:own_stdout",  # for messages alone
}

__all__ = ["run", *_PLACES]


def __getattr__(name):
    """Import a name of this page when it is first asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    globals()[name] = found = getattr(import_module(f"{__name__}.{module}"), attribute)
    return found


def __dir__():
    return sorted({*globals(), *__all__})


def run(source, output=None, preset=None, **settings):
    """Dream a picture, a film or a clip: what the command does, from Python.

    Parameters
    ----------
    source : str, Path, ndarray or PIL.Image.Image
        A picture, ``noise:WIDTHxHEIGHT``, or a clip; or an array or an image, as for
        `dreamlib.Dream`.
    output : str or Path, optional
        Its suffix chooses the format. With `frames`, a folder.
    preset : str, optional
        Named settings to begin with: one of `preset_names`.
    **settings
        By the names in `SETTINGS`: the command's flags with underscores.

    Returns
    -------
    dreamlib.jobs.run.Result, dreamlib.jobs.film.Result, ndarray or PIL.Image.Image
        Of what was written, by default ``STEM_dream.png`` in the current folder. An array or an
        image without an output becomes another one.

    Raises
    ------
    DreamError
        A setting, the picture, the network, memory or the output cannot do.
    """
    from dreamlib.jobs.dreaming import Dream

    return Dream(source, preset, **settings).run(output)
