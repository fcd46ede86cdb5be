"""Sliders for a notebook: a dream is asked for by widgets, and watched while it is made."""

from __future__ import annotations

from io import BytesIO

from dreamlib.errors import DreamError
from dreamlib.jobs.dreaming import Dream
from dreamlib.models.engines import load_layers
from dreamlib.models.layers import dreamable_layers
from dreamlib.models.zoo import find_model
from dreamlib.settings import BY_NAME

#: The settings that have sliders, and how far these go: setting -> least, most, step.
SLIDERS = {
    "iterations": (1, 60, 1),
    "octaves": (1, 8, 1),
    "octave_scale": (1.1, 2.0, 0.05),
    "step_size": (0.25, 6.0, 0.25),
    "jitter": (0, 64, 1),
    "laplacian": (0, 6, 1),
    "strength": (0.0, 1.0, 0.05),
}

#: What classes have their own of.
NOT_OF_CLASSES = ("iterations", "octaves", "octave_scale", "step_size", "jitter", "laplacian")

PICTURE, NOISE = "the picture", "noise"


class Panel:
    """Widgets that dream; a notebook shows them where this is the value of a cell.

    Parameters
    ----------
    source : str, Path, ndarray or PIL.Image.Image, optional
        As for `dreamlib.Dream`; noise alone without it.
    model : str, optional
        As the setting.
    size : (width, height)
        Of noise, in pixels.
    **settings
        That every dream has, beside what the widgets say.

    Attributes
    ----------
    widgets : dict
        By name: ``source``, ``layer``, ``channels``, ``classes``, ``seed`` and those of `SLIDERS`.
    dream : Dream or None
        The last one that was dreamt.

    Raises
    ------
    DreamError
        ipywidgets is not installed, or the model is not there.
    """

    def __init__(self, source=None, model=None, size=(320, 240), **settings):
        self._made = _ipywidgets()
        self._model, self._source, self._own = find_model(model), source, settings
        self._noise, self.dream = "noise:{}x{}".format(*size), None
        self.widgets = self._choices()
        button = self._made.Button(description="Dream", button_style="primary")
        button.on_click(lambda _: self.run())
        self._image = self._made.Image(format="png")
        self._said = self._made.Label()
        choices = self._made.VBox([*self.widgets.values(), button, self._said])
        self._box = self._made.HBox([choices, self._image])

    def _choices(self):
        """Make the widgets that say what is dreamt."""
        made, model = self._made, self._model
        layers = [name for name, _, _ in dreamable_layers(load_layers(model))]
        starts = [NOISE] if self._source is None else [PICTURE, NOISE]
        widgets = {
            "source": made.Dropdown(options=starts, description="begin with"),
            "layer": made.Dropdown(
                options=layers, value=model.end or layers[-1], description="layer"
            ),
            "channels": made.Text(placeholder="all, or 3,12-15", description="channels"),
            "classes": made.Text(placeholder="none, or goldfish", description="classes"),
        }
        for name, (least, most, step) in SLIDERS.items():
            setting, slider = BY_NAME[name], made.FloatSlider
            if setting.kind is int:
                slider = made.IntSlider
            value = model.dream.get(name, setting.default)
            widgets[name] = slider(value=value, min=least, max=most, step=step, description=name)
        return {**widgets, "seed": made.IntText(value=1, description="seed")}

    def settings(self):
        """Return what the widgets say, as settings of a dream.

        Returns
        -------
        dict
        """
        values = {name: widget.value for name, widget in self.widgets.items()}
        settings = {name: values[name] for name in (*SLIDERS, "seed")}
        channels, classes = values["channels"].strip(), values["classes"].strip()
        if classes:
            settings["target"] = classes
            settings = {name: settings[name] for name in settings if name not in NOT_OF_CLASSES}
        elif channels:
            settings["layers"] = f"{values['layer']}[{channels}]"
        else:
            settings["end"] = values["layer"]
        return {"model": str(self._model.folder), **settings, **self._own}

    def run(self):
        """Dream what the widgets say, and show it step by step; the button does so.

        Returns
        -------
        Dream or None
            None where it cannot be dreamt: the panel says why.
        """
        source = self._source if self.widgets["source"].value == PICTURE else self._noise
        try:
            before, self.dream = self.dream, Dream(source, **self.settings())
            if before is not None:
                self.dream.share_network(before)
            for step in self.dream:
                self._image.value = step._repr_png_()
                self._said.value = (
                    f"octave {step.octave} of {step.octaves}, step {step.iteration} of "
                    f"{step.iterations}, {100 * step.share:.0f} %"
                )
            buffer = BytesIO()
            self.dream.image.save(buffer, "PNG")
        except DreamError as error:
            self._said.value = str(error)
            return None
        except KeyboardInterrupt:
            self._said.value = "stopped"
            return None
        self._image.value, self._said.value = buffer.getvalue(), "done"
        return self.dream

    def _ipython_display_(self):
        from IPython.display import display

        display(self._box)


def _ipywidgets():
    """Import ipywidgets."""
    try:
        import ipywidgets
    except ImportError as error:
        raise DreamError(
            "sliders need ipywidgets, which is not installed: pip install ipywidgets, then open "
            f"the notebook anew ({error})"
        ) from error
    return ipywidgets
