# pointsman_bpf(NAME SOURCES main.bpf.c [HEADERS ..]): compiles one BPF object and embeds it; the target pointsman_bpf_NAME links the bytes in,
# as `extern const unsigned char NAME_bpf_start[], NAME_bpf_end[]` (bpf/object.h wraps them). No skeletons: bpftool's do not fit libbpf 1.4 for struct_ops.
find_program(POINTSMAN_CLANG NAMES clang-19 REQUIRED)
set(POINTSMAN_BPF_FLAGS -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -fms-extensions -Wall -Werror -Wno-microsoft-anon-tag -Wno-missing-declarations
  -I${POINTSMAN_DEPS}/include -I${POINTSMAN_DEPS}/libbpf/usr/include -I${PROJECT_SOURCE_DIR}/src)
function(pointsman_bpf NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "MAIN" "HEADERS;DEFINES")
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${NAME}.bpf.o)
  set(assembly ${CMAKE_CURRENT_BINARY_DIR}/${NAME}.bpf.S)
  list(TRANSFORM ARG_HEADERS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  add_custom_command(OUTPUT ${object}
    COMMAND ${POINTSMAN_CLANG} ${POINTSMAN_BPF_FLAGS} ${ARG_DEFINES} -MD -MF ${object}.d -MT ${object} -c ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_MAIN} -o ${object}
    DEPENDS ${ARG_MAIN} ${ARG_HEADERS} DEPFILE ${object}.d VERBATIM COMMENT "BPF object ${NAME}")
  file(CONFIGURE OUTPUT ${assembly} CONTENT "\
.section .rodata
.balign 16
.global ${NAME}_bpf_start
.global ${NAME}_bpf_end
${NAME}_bpf_start:
.incbin \"${object}\"
${NAME}_bpf_end:
.section .note.GNU-stack,\"\",@progbits
")
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${object})
  add_library(pointsman_bpf_${NAME} STATIC ${assembly})
endfunction()
