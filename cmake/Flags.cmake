# The one place for language level, warnings and sanitizers. No contraction of floating point: plans and models must give the same bits everywhere.
add_library(pointsman_flags INTERFACE)
target_compile_features(pointsman_flags INTERFACE cxx_std_20)
target_compile_options(pointsman_flags INTERFACE -ffp-contract=off -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
  -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual $<$<BOOL:${POINTSMAN_WERROR}>:-Werror>
  # g++ 12 sees uninitialised values in std::variant, and overlaps in std::string (its bug 105651), that are none
  -Wno-maybe-uninitialized -Wno-restrict)
target_compile_definitions(pointsman_flags INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(POINTSMAN_SANITIZE)
  target_compile_options(pointsman_flags INTERFACE -fsanitize=${POINTSMAN_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(pointsman_flags INTERFACE -fsanitize=${POINTSMAN_SANITIZE})
endif()

# pointsman_cold(TARGET): code that waits for machines and people more than it computes. A quarter of its compile time is worth more than its speed.
function(pointsman_cold TARGET)
  target_compile_options(${TARGET} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
endfunction()
