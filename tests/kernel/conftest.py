from tests.support.compilers import machine

__all__ = ["machine"]
