// What takes the place of parts of the C++ library where that is linked in: this unit is linked first, so nothing asks for those, each of
// which brings much more with it than is used here.
#include <cstddef>

// A type's name, when an exception that nobody catches ends the process. Nothing else asks for it, and it is a tenth of a megabyte: the
// name is printed as the compiler spells it.
extern "C" char* __cxa_demangle(const char*, char*, size_t*, int* status) {
  if (status != nullptr) *status = -1;
  return nullptr;
}

#if !defined(__APPLE__)  // there it is the system's

#include <cstdio>
#include <string>
#include <unordered_set>

// Strings lie in one unit with those of wide characters and with what reads and writes numbers of every kind.
template class std::basic_string<char>;

_LIBCPP_BEGIN_NAMESPACE_STD

template string operator+<char, char_traits<char>, allocator<char>>(const char*, const string&);

template <class Number>
static string decimal(const char* format, Number n) {
  char text[24];
  snprintf(text, sizeof text, format, n);
  return text;
}

string to_string(int n) { return decimal("%d", n); }
string to_string(unsigned n) { return decimal("%u", n); }
string to_string(long n) { return decimal("%ld", n); }
string to_string(unsigned long n) { return decimal("%lu", n); }
string to_string(long long n) { return decimal("%lld", n); }
string to_string(unsigned long long n) { return decimal("%llu", n); }

// The number of buckets of a hash table, which are few here: found by trying, without a table of primes.
size_t __next_prime(size_t n) {
  const auto prime = [](size_t k) {
    for (size_t d = 2; d <= k / d; ++d) {
      if (k % d == 0) return false;
    }
    return true;
  };
  while (n == 1 || !prime(n)) ++n;
  return n;
}

_LIBCPP_END_NAMESPACE_STD

#endif
