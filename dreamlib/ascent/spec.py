"""What a dream maximises, as plain values: all that a worker needs to make the objective."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Terms that are made of a picture beside the one that is dreamt: see `dreamlib.ascent.guides` and
#: `dreamlib.ascent.style`.
OF_PICTURES = ("match", "channels", "style")


@dataclass(frozen=True)
class TermSpec:
    """One term of a mixture.

    Attributes
    ----------
    kind : {'l2', 'mean', 'neuron', 'match', 'channels', 'style'}
    layer : str
    weight : float
    channels : str
        As ``12,47-50``; "" is all of them. Of a neuron the only one.
    place : (int, int), optional
        Column and row of a neuron.
    picture : str
        Path of the picture that those `OF_PICTURES` are made of.
    mask : str
        Path of a picture of where the term counts; "" is everywhere.
    """

    kind: str
    layer: str
    weight: float = 1.0
    channels: str = ""
    place: tuple | None = None
    picture: str = ""
    mask: str = ""

    def __str__(self):
        text = self.layer + (f"[{self.channels}]" if self.channels else "")
        if self.kind in OF_PICTURES:
            text = f"{self.kind}({text}, {self.picture})"
        elif self.kind == "mean":
            text = f"mean({text})"
        if self.place:
            text += "@{}x{}".format(*self.place)
        if self.mask:
            text += f"@{self.mask}"
        # After a path there is always one: it might end in a colon and a number itself.
        return text if self.weight == 1 and not self.mask else f"{text}:{self.weight:.9g}"

    @property
    def files(self):
        """Each file that is named, with what it is in words: list of (str, str)."""
        named = (("guide picture", self.picture), ("mask", self.mask))
        return [(f"the {what} {path}", path) for what, path in named if path]

    def with_files(self, spell):
        """Return the same with files named otherwise.

        Parameters
        ----------
        spell : callable
            Given a path.

        Returns
        -------
        TermSpec
        """
        mask, picture = (path and spell(path) for path in (self.mask, self.picture))
        return replace(self, mask=mask, picture=picture)


@dataclass(frozen=True)
class ObjectiveSpec:
    """What is maximised; where nothing but `end` is given, that layer as in the notebook.

    Attributes
    ----------
    end : str
        The deepest layer that is used.
    terms : tuple of TermSpec
    targets : tuple of (int, float)
        Channels of `class_layer`, and their weights.
    class_layer : str
        Blob of the class scores.
    """

    end: str
    terms: tuple = ()
    targets: tuple = ()
    class_layer: str = ""

    @classmethod
    def from_json(cls, values):
        """Make it of what `dataclasses.asdict` and JSON made of it.

        Parameters
        ----------
        values : dict

        Returns
        -------
        ObjectiveSpec
        """
        terms = (
            TermSpec(**{**term, "place": term["place"] and tuple(term["place"])})
            for term in values["terms"]
        )
        targets = (tuple(target) for target in values["targets"])
        return cls(**{**values, "terms": tuple(terms), "targets": tuple(targets)})

    @property
    def layers(self):
        """Names of the layers that are looked at, each once."""
        names = [term.layer for term in self.terms] + [self.class_layer] * bool(self.targets)
        return list(dict.fromkeys(names))

    @property
    def of_pictures(self):
        """The terms that are made of a picture, by its path: a dict of lists."""
        found = {}
        for term in self.terms:
            if term.picture:
                found.setdefault(term.picture, []).append(term)
        return found

    @property
    def masks(self):
        """Paths of the masks, each once."""
        return list(dict.fromkeys(term.mask for term in self.terms if term.mask))
