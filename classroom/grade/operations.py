"""The closed list of operations that a record may have, by the names of their kernels.

They are the moves (rearranging, multiplying, summing), functions of one number, and
what makes or picks tensors. No layer's own kernel is among them, under whatever name;
where an exercise's reference runs one, that exercise allows it. Nor is what shows
memory as it was left, such as ``resize_``: the right output may have been there.
"""

from collections.abc import Iterable

OPERATIONS = frozenset(
    """
    view _unsafe_view reshape _reshape_alias _reshape_copy view_copy expand permute
    transpose t transpose_ t_ squeeze squeeze_ unsqueeze unsqueeze_ select slice narrow
    split split_with_sizes chunk unbind cat concat stack hstack vstack flip roll rot90
    diagonal diag diag_embed tril triu tril_ triu_ repeat repeat_interleave tile unfold
    as_strided movedim swapaxes flatten unflatten alias detach detach_ clone contiguous
    lift lift_fresh lift_fresh_copy copy_ copy _to_copy to constant_pad_nd
    reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
    select_scatter slice_scatter diagonal_scatter expand_copy permute_copy

    index index_put index_put_ _index_put_impl_ index_select index_add index_add_
    index_copy index_copy_ index_fill index_fill_ gather scatter scatter_ scatter_add
    scatter_add_ scatter_reduce scatter_reduce_ take take_along_dim masked_select
    masked_fill masked_fill_ masked_scatter masked_scatter_ where nonzero put put_
    embedding bincount searchsorted bucketize sort topk argsort argmax argmin max min
    amax amin aminmax kthvalue median unique _unique2 unique_dim one_hot isin

    zeros ones empty full eye arange linspace scalar_tensor zeros_like ones_like
    empty_like full_like new_zeros new_ones new_empty new_full empty_strided
    new_empty_strided fill_ fill zero_ zero rand rand_like randn randn_like randint
    randint_like randperm bernoulli bernoulli_ uniform_ normal_ tril_indices
    triu_indices _efficientzerotensor

    add add_ sub sub_ rsub mul mul_ div div_ neg neg_ abs abs_ pow pow_ square square_
    sqrt sqrt_ rsqrt rsqrt_ reciprocal reciprocal_ exp exp_ exp2 expm1 expm1_ log log_
    log2 log10 log1p log1p_ sin sin_ cos cos_ tan asin acos atan atan2 sinh cosh tanh
    tanh_ erf erf_ erfc sigmoid sigmoid_ logit sign sign_ sgn floor floor_ ceil ceil_
    round round_ trunc trunc_ frac fmod remainder floor_divide clamp clamp_ clamp_min
    clamp_min_ clamp_max clamp_max_ maximum minimum fmax fmin lerp lerp_ addcmul
    addcmul_ addcdiv addcdiv_ hypot relu relu_ threshold threshold_ logaddexp xlogy
    heaviside copysign polar complex real imag view_as_real view_as_complex conj _conj
    leaky_relu leaky_relu_ elu elu_ gelu silu silu_ mish softplus hardtanh hardtanh_
    hardsigmoid hardswish log_sigmoid_forward prelu _prelu_kernel softshrink hardshrink
    celu selu rrelu_with_noise glu _softmax _log_softmax logsumexp cumsum cumsum_
    cumprod cumprod_ cummax cummin logcumsumexp diff

    eq ne lt le gt ge eq_ ne_ lt_ le_ gt_ ge_ equal isnan isinf isfinite logical_and
    logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_xor bitwise_not
    bitwise_and_ bitwise_or_ bitwise_left_shift bitwise_right_shift all any allclose
    isclose is_nonzero _local_scalar_dense item nan_to_num

    sum mean prod var var_mean std std_mean norm linalg_vector_norm count_nonzero
    mm bmm mv dot vdot outer addmm addmm_ addmv addbmm baddbmm baddbmm_ addmv_ addr
    matmul kron trace tensordot einsum

    threshold_backward tanh_backward sigmoid_backward gelu_backward silu_backward
    _softmax_backward_data _log_softmax_backward_data select_backward slice_backward
    embedding_dense_backward index_select_backward unfold_backward diagonal_backward
    value_selecting_reduction_backward elu_backward leaky_relu_backward mish_backward
    softplus_backward glu_backward hardtanh_backward log_sigmoid_backward
    im2col col2im
    """.split()  # noqa: SIM905  (lines of names are read more easily)
)
FRESH = frozenset(
    {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
)
"""What gives memory as it is: filled with zeros in a replay, the same each time."""

PRODUCTS = frozenset(
    {
        "mm", "bmm", "mv", "dot", "vdot", "addmm", "addmm_", "addmv", "addbmm",
        "baddbmm", "baddbmm_", "addr", "_trilinear",
    }
)  # fmt: skip
FUSED = frozenset({"addmm", "addmv", "addbmm", "baddbmm", "addr"})
"""A product and a sum in one: an exercise without one of them is without all."""
BY_KERNEL = {"fold": "col2im", "unfold": "im2col"}
"""Functions whose kernel has another name."""
PRODUCTS_BY_NAME = frozenset({"matmul", "einsum", "mm", "bmm"})
"""An exercise without two of these is without all kernels that multiply and sum."""


def allowed(without: Iterable[str], reference: Iterable[str]) -> frozenset[str]:
    """The operations that an answer may run.

    Args:
        without: what the exercise does without, by torch's public names or kernels'.
        reference: the kernels that its reference runs; they are always allowed.
    """
    names = {name.strip("_") for name in without}
    names |= {BY_KERNEL[name] for name in names & BY_KERNEL.keys()}
    if names & FUSED:
        names |= FUSED
    if len(names & PRODUCTS_BY_NAME) > 1:
        names |= {name.strip("_") for name in PRODUCTS}
    kept = {name for name in OPERATIONS if name.strip("_") not in names}
    return frozenset(kept | set(reference))
