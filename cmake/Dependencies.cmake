# Libraries that are not ours, each as a target. libbpf comes from bookworm-backports, unpacked by scripts/setup: Debian 12's own is too old for struct_ops links.
find_package(fmt REQUIRED)
# Debian has fmt as a shared library only; we link one static program, so its functions are compiled into base (src/base/fmt_library.cc).
add_library(pointsman_fmt INTERFACE)
target_compile_definitions(pointsman_fmt INTERFACE FMT_SHARED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)

set(bpf_archive ${POINTSMAN_DEPS}/libbpf/usr/lib/x86_64-linux-gnu/libbpf.a)
if(NOT EXISTS ${bpf_archive} OR NOT EXISTS ${POINTSMAN_DEPS}/include/vmlinux.h)
  message(FATAL_ERROR "libbpf or vmlinux.h is missing below ${POINTSMAN_DEPS}: run scripts/setup")
endif()
add_library(pointsman_libbpf INTERFACE)
target_include_directories(pointsman_libbpf SYSTEM INTERFACE ${POINTSMAN_DEPS}/libbpf/usr/include)
target_link_libraries(pointsman_libbpf INTERFACE ${bpf_archive} elf z)

add_library(pointsman_sqlite INTERFACE)
target_link_libraries(pointsman_sqlite INTERFACE sqlite3 m)

# Headers only. Beast for the experiment server; it wants 1.81, which Debian 12 has beside its default 1.74.
find_package(Boost 1.81 REQUIRED)
add_library(pointsman_boost INTERFACE)
target_link_libraries(pointsman_boost INTERFACE Boost::headers)
target_compile_definitions(pointsman_boost INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX)
