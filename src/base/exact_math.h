// Elementary functions made of IEEE additions, multiplications and divisions only, so that every build and machine gives the same bits
// (a C library's log and exp may differ in the last place). Relative error below 1e-14 over the range that plans and models use.
#pragma once

namespace pointsman {

double exact_log(double x);  // x > 0
double exact_exp(double x);  // -700 < x < 700
double exact_sqrt(double x);
double exact_cos2pi(double turns);  // cos(2 pi turns), 0 <= turns < 1
double exact_pow(double base, double exponent);  // base > 0
double exact_tanh(double x);

}  // namespace pointsman
