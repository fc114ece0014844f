// Exponentials and their kin as vector code.
#include "runtime/cpu/vector_math.h"

#include <math.h>
#include <string.h>

// What differs between the element types.
struct format {
  int mantissa_bits, exponent_bias;
  double round_magic;          // adding and subtracting it rounds to an integer: 1.5 * 2^mantissa_bits
  double ln2_high, ln2_low;    // ln2_high has so few bits that its product with an exponent is exact
  double exp_min, exp_max;     // exp is 0 below and infinite above
  double tanh_max;             // |tanh| is 1 from here on
  int degree;                  // of the polynomial P in exp(r) = 1 + r + r^2 P(r), |r| <= ln(2)/2
  const double *coefficients;  // highest first
  int log_degree;
  const double *log_coefficients;
  int64_t root_half;  // bits of sqrt(1/2)
  double least_normal, denormal_scale;
  int denormal_shift;
  double expm1_min, expm1_max;  // exp(x) - 1 is -1 below, and exp(x) above, to the last place
  int erf_degree, erfc_degree;  // number of coefficients, highest first
  const double *erf_coefficients, *erfc_coefficients;
  double erfc_max;     // erfc is 0 from here on
  int64_t upper_half;  // mask of the bits of a number that leave its square exact
};

// Cephes' expf (Moshier): minimax.
static const double exp_f32[] = {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                                 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1};
// 1/13! ... 1/2!: the truncation error is below 2^-57.
static const double exp_f64[] = {1.6059043836821613e-10, 2.0876756987868099e-09, 2.5052108385441720e-08,
                                 2.7557319223985893e-07, 2.7557319223985888e-06, 2.4801587301587302e-05,
                                 1.9841269841269841e-04, 1.3888888888888889e-03, 8.3333333333333333e-03,
                                 4.1666666666666664e-02, 1.6666666666666666e-01, 0.5};
// FreeBSD's logf and log: log(1+f) = f - f^2/2 + s (f^2/2 + R(s^2)), s = f / (2 + f).
static const double log_f32[] = {0xf89e26.0p-26, 0x91e9ee.0p-25, 0xccce13.0p-25, 0xaaaaaa.0p-24};
static const double log_f64[] = {1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
                                 2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
                                 6.666666666666735130e-01};

// erf(x) / x as a polynomial in x^2 for |x| <= 1: interpolation in Chebyshev's nodes with 60 digits; the truncation
// errors are 1.4e-9 and 9e-18.
static const double erf_f32[] = {7.8758750627e-5, -8.0168642872e-4, 5.1890874234e-3, -2.6854212011e-2,
                                 1.1283594715e-1, -3.7612626667e-1, 1.1283791658};
static const double erf_f64[] = {-7.79589882700214224e-10, 1.37200645467776856e-8,  -1.62084838018717059e-7,
                                 1.64474247033173624e-6,   -1.49247369074196603e-5, 1.20552949048397079e-4,
                                 -8.54832597538969208e-4,  5.22397760711642273e-3,  -2.68661706432377704e-2,
                                 1.12837916709450063e-1,   -3.76126389031835404e-1, 1.12837916709551257};
// (1 + 2x) exp(x^2) erfc(x) for x >= 0 as a polynomial in t = (x - K) / (x + K) (Shepherd & Laframboise 1981), made
// likewise; the truncation errors are 1.7e-8 and 6e-17.
#define ERFC_K 3.75
static const double erfc_f32[] = {-2.2874723359e-4, 3.9670463828e-4,  1.6886622311e-3,  -9.8454910950e-3,
                                  2.8396482121e-2,  -5.8645982868e-2, 9.2296367961e-2,  -1.0881458496e-1,
                                  8.2277417560e-2,  3.5863101017e-3,  -1.4024060801e-1, 1.2375126185};
static const double erfc_f64[] = {
    3.20526233792891571e-10, -2.61852015650314480e-9, -3.79818979773620719e-9, 3.19539861205781807e-8,
    2.33985343130408969e-8,  -2.48511086502107061e-7, -5.74107607301391571e-8, 1.74190119451943662e-6,
    -9.73387516749414286e-7, -1.14379803744955341e-5, 2.23841385256567564e-5,  5.16464934100287697e-5,
    -2.90154042033527040e-4, 2.93714390578855981e-4,  1.75562584343186414e-3,  -9.74657968596217161e-3,
    2.83622774203773337e-2,  -5.86933985763106125e-2, 9.23043211602589361e-2,  -1.08803930142466448e-1,
    8.22767384901497726e-2,  3.58541548547957517e-3,  -1.40240598585547014e-1, 1.23751263083782753};

// Taylor's series of sin(x) / x - 1 and cos(x) - 1 in x^2, highest first: the truncation errors for |x| <= pi/4 are below
// 2e-9 and 1e-9, 5e-17 and 3e-18.
static const double sin_f32[] = {1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6};
static const double sin_f64[] = {-1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880,
                                 -1.0 / 5040,          1.0 / 120,        -1.0 / 6};
static const double cos_f32[] = {-1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5};
static const double cos_f64[] = {1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800,
                                 1.0 / 40320,          -1.0 / 720,         1.0 / 24,        -0.5};

#define COUNT(array) (int)(sizeof array / sizeof *array)

static const struct format formats[] = {
    [NN_F32] = {23,
                127,
                0x1.8p23,
                0x1.62e400p-1,
                0x1.7f7d1cp-20,
                -104,
                89,
                9.02,
                6,
                exp_f32,
                4,
                log_f32,
                0x3f3504f3,
                0x1p-126,
                0x1p25,
                25,
                -18,
                20,
                COUNT(erf_f32),
                COUNT(erfc_f32),
                erf_f32,
                erfc_f32,
                10.5,
                ~(int64_t)0xfff},
    [NN_F64] = {52,
                1023,
                0x1.8p52,
                0x1.62e42fee00000p-1,
                0x1.a39ef35793c76p-33,
                -746,
                710,
                19.1,
                12,
                exp_f64,
                7,
                log_f64,
                0x3fe6a09e667f3bcd,
                0x1p-1022,
                0x1p54,
                54,
                -39,
                40,
                COUNT(erf_f64),
                COUNT(erfc_f64),
                erf_f64,
                erfc_f64,
                28,
                ~(int64_t)0x7ffffff},
};

static const struct format *format_of(const struct codegen *cg) { return &formats[cg->element]; }

static LLVMValueRef real(const struct codegen *cg, LLVMValueRef like, double value) {
  return codegen_real_like(cg, like, value);
}

static LLVMValueRef to_int(const struct codegen *cg, LLVMValueRef x) {
  return LLVMBuildBitCast(cg->builder, x, codegen_int_like(cg, x), "");
}

static LLVMValueRef to_real(const struct codegen *cg, LLVMValueRef bits, LLVMValueRef like) {
  return LLVMBuildBitCast(cg->builder, bits, LLVMTypeOf(like), "");
}

static LLVMValueRef int_like(const struct codegen *cg, LLVMValueRef like, int64_t value) {
  return codegen_int_constant(codegen_int_like(cg, like), value);
}

static LLVMValueRef polynomial(const struct codegen *cg, LLVMValueRef x, const double *coefficients, int n) {
  LLVMValueRef sum = real(cg, x, coefficients[0]);
  for (int i = 1; i < n; i++)
    sum = codegen_fma(cg, sum, x, real(cg, x, coefficients[i]));
  return sum;
}

// The nearest limit; NaN stays NaN, because a comparison with it is false.
static LLVMValueRef clamp(const struct codegen *cg, LLVMValueRef x, double low, double high) {
  LLVMValueRef l = real(cg, x, low), h = real(cg, x, high);
  x = codegen_select_gt(cg, l, x, l, x);
  return codegen_select_gt(cg, x, h, h, x);
}

// x = n ln 2 + r: gives exp(r) - 1, and n as a number and as an integer. |x| is moderate or NaN.
struct reduced {
  LLVMValueRef expm1, real_n, n;
};

static struct reduced reduce(const struct codegen *cg, LLVMValueRef x) {
  const struct format *f = format_of(cg);
  LLVMBuilderRef b = cg->builder;
  // The low bits of `shifted` are n: no conversion, whose result for NaN would be undefined.
  LLVMValueRef magic = real(cg, x, f->round_magic);
  LLVMValueRef shifted = codegen_fma(cg, x, real(cg, x, M_LOG2E), magic);
  LLVMValueRef n = LLVMBuildFSub(b, shifted, magic, "");
  LLVMValueRef r = codegen_fma(cg, n, real(cg, x, -f->ln2_high), x);
  r = codegen_fma(cg, n, real(cg, x, -f->ln2_low), r);
  LLVMValueRef p = polynomial(cg, r, f->coefficients, f->degree);
  struct reduced reduced;
  reduced.expm1 = codegen_fma(cg, p, LLVMBuildFMul(b, r, r, ""), r);
  reduced.real_n = n;
  reduced.n = LLVMBuildSub(b, to_int(cg, shifted), to_int(cg, magic), "");
  return reduced;
}

// 2^n for an n in the range of normal exponents.
static LLVMValueRef power_of_two(const struct codegen *cg, LLVMValueRef n, LLVMValueRef like) {
  const struct format *f = format_of(cg);
  LLVMValueRef biased = LLVMBuildAdd(cg->builder, n, int_like(cg, like, f->exponent_bias), "");
  return to_real(cg, LLVMBuildShl(cg->builder, biased, int_like(cg, like, f->mantissa_bits), ""), like);
}

// y * 2^n by one instruction of AVX-512.
static LLVMValueRef scale_avx512(const struct codegen *cg, LLVMValueRef y, LLVMValueRef n) {
  const char *name = cg->element == NN_F32 ? "llvm.x86.avx512.mask.scalef.ps.512"
                                           : "llvm.x86.avx512.mask.scalef.pd.512";
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMTypeRef mask = LLVMIntTypeInContext(cg->context, cg->lanes),
              type = LLVMIntrinsicGetType(cg->context, id, NULL, 0);
  LLVMValueRef operands[] = {y, n, LLVMConstNull(LLVMTypeOf(y)), LLVMConstAllOnes(mask),
                             LLVMConstInt(cg->int32, 4, 0) /* round as usual */};
  return LLVMBuildCall2(cg->builder, type, LLVMGetIntrinsicDeclaration(cg->module, id, NULL, 0), operands, 5,
                        "");
}

// y * 2^n, correctly rounded where the result is denormal or too large. Both ways give the same bits.
static LLVMValueRef scale(const struct codegen *cg, LLVMValueRef y, const struct reduced *reduced) {
  LLVMBuilderRef b = cg->builder;
  if (cg->cpu.simd == CPU_SIMD_AVX512 && codegen_lanes_of(y) == cg->lanes)
    return scale_avx512(cg, y, reduced->real_n);
  // In two halves: the first product is exact, and neither factor overflows.
  LLVMValueRef half = LLVMBuildAShr(b, reduced->n, int_like(cg, y, 1), "");
  LLVMValueRef rest = LLVMBuildSub(b, reduced->n, half, "");
  y = LLVMBuildFMul(b, y, power_of_two(cg, half, y), "");
  return LLVMBuildFMul(b, y, power_of_two(cg, rest, y), "");
}

LLVMValueRef vector_math_exp(const struct codegen *cg, LLVMValueRef x) {
  const struct format *f = format_of(cg);
  struct reduced reduced = reduce(cg, clamp(cg, x, f->exp_min, f->exp_max));
  LLVMValueRef y = LLVMBuildFAdd(cg->builder, reduced.expm1, real(cg, x, 1), "");
  return scale(cg, y, &reduced);
}

// exp(x) - 1 without cancellation near zero. Where exp(x) is large, it is that, so that it goes as far.
LLVMValueRef vector_math_expm1(const struct codegen *cg, LLVMValueRef x) {
  const struct format *f = format_of(cg);
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef one = real(cg, x, 1);
  struct reduced reduced = reduce(cg, clamp(cg, x, f->expm1_min, f->exp_max));
  LLVMValueRef power = power_of_two(cg, reduced.n, x);
  LLVMValueRef y = codegen_fma(cg, power, reduced.expm1, LLVMBuildFSub(b, power, one, ""));
  LLVMValueRef large = scale(cg, LLVMBuildFAdd(b, reduced.expm1, one, ""), &reduced);
  return codegen_select_gt(cg, x, real(cg, x, f->expm1_max), large, y);
}

// tanh(x) = e / (e + 2) with e = exp(2x) - 1, which is taken without cancellation near zero.
LLVMValueRef vector_math_tanh(const struct codegen *cg, LLVMValueRef x) {
  const struct format *f = format_of(cg);
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef bounded = clamp(cg, x, -f->tanh_max, f->tanh_max);
  struct reduced reduced = reduce(cg, LLVMBuildFAdd(b, bounded, bounded, ""));
  LLVMValueRef power = power_of_two(cg, reduced.n, x);
  LLVMValueRef e = codegen_fma(cg, power, reduced.expm1, LLVMBuildFSub(b, power, real(cg, x, 1), ""));
  return LLVMBuildFDiv(b, e, LLVMBuildFAdd(b, e, real(cg, x, 2), ""), "");
}

// From exp(-|x|), so that both tails keep their relative accuracy.
LLVMValueRef vector_math_sigmoid(const struct codegen *cg, LLVMValueRef x) {
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef one = real(cg, x, 1);
  LLVMValueRef magnitude = codegen_intrinsic(cg, "llvm.fabs", 1, &x);
  LLVMValueRef e = vector_math_exp(cg, LLVMBuildFNeg(b, magnitude, ""));
  LLVMValueRef numerator = codegen_select_gt(cg, real(cg, x, 0), x, e, one);
  return LLVMBuildFDiv(b, numerator, LLVMBuildFAdd(b, e, one, ""), "");
}

// log(x + error), where `error` is less than half a unit in the last place of x; NULL: 0. A sum of 1 and something that
// has lost digits is no denormal number. `any`: x may be anything, also what has no logarithm.
static LLVMValueRef log_of(const struct codegen *cg, LLVMValueRef x, LLVMValueRef error, bool any) {
  const struct format *f = format_of(cg);
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef one = real(cg, x, 1), zero = real(cg, x, 0), infinity = real(cg, x, INFINITY);
  LLVMValueRef tiny = NULL, scaled = x;
  if (error == NULL && any) {
    tiny = LLVMBuildFCmp(b, LLVMRealOLT, x, real(cg, x, f->least_normal), "");
    scaled = LLVMBuildSelect(b, tiny, LLVMBuildFMul(b, x, real(cg, x, f->denormal_scale), ""), x, "");
  }
  // scaled = m 2^e with sqrt(1/2) <= m < sqrt(2).
  int64_t one_bits = (int64_t)f->exponent_bias << f->mantissa_bits;
  LLVMValueRef bits = LLVMBuildAdd(b, to_int(cg, scaled), int_like(cg, x, one_bits - f->root_half), "");
  LLVMValueRef exponent = LLVMBuildAShr(b, bits, int_like(cg, x, f->mantissa_bits), "");
  exponent = LLVMBuildSub(b, exponent, int_like(cg, x, f->exponent_bias), "");
  if (tiny != NULL)
    exponent = LLVMBuildSub(
        b, exponent, LLVMBuildSelect(b, tiny, int_like(cg, x, f->denormal_shift), int_like(cg, x, 0), ""),
        "");
  LLVMValueRef mantissa = LLVMBuildAnd(b, bits, int_like(cg, x, ((int64_t)1 << f->mantissa_bits) - 1), "");
  mantissa = to_real(cg, LLVMBuildAdd(b, mantissa, int_like(cg, x, f->root_half), ""), x);

  LLVMValueRef m = LLVMBuildFSub(b, mantissa, one, "");
  LLVMValueRef s = LLVMBuildFDiv(b, m, LLVMBuildFAdd(b, m, real(cg, x, 2), ""), "");
  LLVMValueRef z = LLVMBuildFMul(b, s, s, "");
  LLVMValueRef r = LLVMBuildFMul(b, z, polynomial(cg, z, f->log_coefficients, f->log_degree), "");
  LLVMValueRef half_square = LLVMBuildFMul(b, real(cg, x, 0.5), LLVMBuildFMul(b, m, m, ""), "");
  LLVMValueRef k = LLVMBuildSIToFP(b, exponent, LLVMTypeOf(x), "");
  // s (m^2/2 + R) + k ln2_low - m^2/2 + m + k ln2_high, smallest first.
  LLVMValueRef y = codegen_fma(cg, s, LLVMBuildFAdd(b, half_square, r, ""),
                               LLVMBuildFMul(b, k, real(cg, x, f->ln2_low), ""));
  if (error != NULL)
    y = LLVMBuildFAdd(b, y, LLVMBuildFDiv(b, error, x, ""), "");
  y = LLVMBuildFAdd(b, LLVMBuildFSub(b, y, half_square, ""), m, "");
  y = codegen_fma(cg, k, real(cg, x, f->ln2_high), y);
  if (!any)
    return y;
  // Outside the positive numbers: log inf = inf, log 0 = -inf, anything else NaN. One select each: LLVM makes of
  // comparisons that are put together a test of the number's class, which is long for a single number.
  y = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOLT, x, infinity, ""), y, x, "");
  y = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOLT, x, zero, ""), real(cg, x, NAN), y, "");
  return LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOEQ, x, zero, ""), real(cg, x, -INFINITY), y, "");
}

LLVMValueRef vector_math_log(const struct codegen *cg, LLVMValueRef x) { return log_of(cg, x, NULL, true); }

LLVMValueRef vector_math_log_positive(const struct codegen *cg, LLVMValueRef x) {
  return log_of(cg, x, NULL, false);
}

// log(1 + x) with what rounding takes from 1 + x (Knuth's TwoSum), which is all of x when that is small. An infinite x
// makes the error NaN; log_of gives infinity without looking at it.
LLVMValueRef vector_math_log1p(const struct codegen *cg, LLVMValueRef x) {
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef one = real(cg, x, 1);
  LLVMValueRef sum = LLVMBuildFAdd(b, x, one, ""), from_x = LLVMBuildFSub(b, sum, one, "");
  LLVMValueRef of_one = LLVMBuildFSub(b, one, LLVMBuildFSub(b, sum, from_x, ""), "");
  LLVMValueRef of_x = LLVMBuildFSub(b, x, from_x, "");
  return log_of(cg, sum, LLVMBuildFAdd(b, of_one, of_x, ""), true);
}

// What rounding takes from x * x.
static LLVMValueRef square_error(const struct codegen *cg, LLVMValueRef x, LLVMValueRef square) {
  LLVMBuilderRef b = cg->builder;
  if (cg->cpu.fma)
    return codegen_fma(cg, x, x, LLVMBuildFNeg(b, square, ""));
  // Dekker: the high half's square and its product with the low half are exact.
  LLVMValueRef bits = LLVMBuildAnd(b, to_int(cg, x), int_like(cg, x, format_of(cg)->upper_half), "");
  LLVMValueRef high = to_real(cg, bits, x), low = LLVMBuildFSub(b, x, high, "");
  LLVMValueRef cross = LLVMBuildFMul(b, LLVMBuildFAdd(b, high, high, ""), low, "");
  LLVMValueRef error = LLVMBuildFSub(b, LLVMBuildFMul(b, high, high, ""), square, "");
  return LLVMBuildFAdd(b, LLVMBuildFAdd(b, error, cross, ""), LLVMBuildFMul(b, low, low, ""), "");
}

// erfc(x) for x >= 0. The error of x^2, by which exp would multiply, is made up for.
static LLVMValueRef erfc_of_positive(const struct codegen *cg, LLVMValueRef x) {
  const struct format *f = format_of(cg);
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef one = real(cg, x, 1), k = real(cg, x, ERFC_K);
  x = clamp(cg, x, 0, f->erfc_max);
  LLVMValueRef t = LLVMBuildFDiv(b, LLVMBuildFSub(b, x, k, ""), LLVMBuildFAdd(b, x, k, ""), "");
  LLVMValueRef p = polynomial(cg, t, f->erfc_coefficients, f->erfc_degree);
  LLVMValueRef square = LLVMBuildFMul(b, x, x, ""), error = square_error(cg, x, square);
  LLVMValueRef q = LLVMBuildFDiv(b, p, LLVMBuildFAdd(b, LLVMBuildFAdd(b, x, x, ""), one, ""), "");
  q = LLVMBuildFSub(b, q, LLVMBuildFMul(b, q, error, ""), "");
  return LLVMBuildFMul(b, vector_math_exp(cg, LLVMBuildFNeg(b, square, "")), q, "");
}

LLVMValueRef vector_math_erfc(const struct codegen *cg, LLVMValueRef x) {
  LLVMValueRef magnitude = codegen_intrinsic(cg, "llvm.fabs", 1, &x);
  LLVMValueRef y = erfc_of_positive(cg, magnitude);
  LLVMValueRef reflected = LLVMBuildFSub(cg->builder, real(cg, x, 2), y, "");
  return codegen_select_gt(cg, real(cg, x, 0), x, reflected, y);
}

LLVMValueRef vector_math_erf(const struct codegen *cg, LLVMValueRef x) {
  const struct format *f = format_of(cg);
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef one = real(cg, x, 1), magnitude = codegen_intrinsic(cg, "llvm.fabs", 1, &x);
  LLVMValueRef near = polynomial(cg, LLVMBuildFMul(b, x, x, ""), f->erf_coefficients, f->erf_degree);
  near = LLVMBuildFMul(b, x, near, "");
  LLVMValueRef far = LLVMBuildFSub(b, one, erfc_of_positive(cg, magnitude), "");
  far = codegen_select_gt(cg, real(cg, x, 0), x, LLVMBuildFNeg(b, far, ""), far);
  return codegen_select_gt(cg, one, magnitude, near, far);
}

void vector_math_sincos(const struct codegen *cg, LLVMValueRef x, LLVMValueRef *sine, LLVMValueRef *cosine) {
  LLVMValueRef square = LLVMBuildFMul(cg->builder, x, x, ""), s, c;
  if (cg->element == NN_F32) {
    s = polynomial(cg, square, sin_f32, COUNT(sin_f32));
    c = polynomial(cg, square, cos_f32, COUNT(cos_f32));
  } else {
    s = polynomial(cg, square, sin_f64, COUNT(sin_f64));
    c = polynomial(cg, square, cos_f64, COUNT(cos_f64));
  }
  *sine = codegen_fma(cg, LLVMBuildFMul(cg->builder, s, square, ""), x, x);
  *cosine = codegen_fma(cg, c, square, real(cg, x, 1));
}
