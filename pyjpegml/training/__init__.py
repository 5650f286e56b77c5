"""How the learned predictor is made; needs the extra ``train`` (scikit-learn, joblib, Pillow).

:mod:`pyjpegml.training.teacher` searches for the best plans of photographs, and
:mod:`pyjpegml.training.fit` learns from them. ``pyjpegml train DIR`` does both.
"""
