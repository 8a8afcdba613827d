"""Arrays without a reference count.

Numba counts the references of an array in memory: every view, and every array handed to a function, adds one and takes
it away again with a locked instruction, five nanoseconds each, more where threads count the same array. In scalar code
on a few elements that was two thirds of the time. A borrowed array has no counter, nor have the views of it.
"""

from __future__ import annotations

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def borrowed(typing_context, array):  # type: ignore[no-untyped-def]
    """The same array without its counter: it must not outlive the array it comes from.

    Safe on the arguments of a kernel, which its caller holds. What a kernel allocates itself is freed after the last
    use of its own name: use that name once more at the end.
    """
    signature = array(array)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        own = context.make_array(signature.return_type)(context, builder, arguments[0])
        own.meminfo = ir.Constant(cgutils.voidptr_t, None)
        own.parent = ir.Constant(own.parent.type, None)
        return own._getvalue()

    return signature, generate
