"""Pictures of hundreds of megapixels, through libvips: in by strips, out from arrays or raw files.

16 bits go in and out, and memory does not grow with the height of the picture. Needs
``dreamlib[vips]``; only functions import it.
"""
