"""What Hypothesis learns of this package when it starts (entry point ``hypothesis``).

``st.from_type(Stream)``, ``Corrupted``, ``HuffmanTable`` and ``Segments`` then give what the
strategies of :mod:`pyjpegml.testing` do, and so do arguments of those types in
``st.builds``. No codec and no Numba is imported for it.
"""

from __future__ import annotations

from hypothesis import strategies as st

from .stream import Corrupted, HuffmanTable, Segments, Stream


def register() -> None:
    """Tell Hypothesis which strategies make our types.

    Hypothesis may be starting because this package imports it: so strategies are looked up when
    they are first wanted.
    """

    def named(name: str) -> st.SearchStrategy[object]:
        from pyjpegml import testing

        strategy: st.SearchStrategy[object] = getattr(testing, name)()
        return strategy

    st.register_type_strategy(Stream, lambda _: named("jpeg_streams"))
    st.register_type_strategy(Corrupted, lambda _: named("corrupted"))
    st.register_type_strategy(HuffmanTable, lambda _: named("huffman_tables"))
    st.register_type_strategy(Segments, lambda _: named("metadata"))
