# One target per folder of src/. A layer sees the headers of the layers it names and of nothing else: its
# include path is a directory with one link, <build>/layers/<folder>/<folder> -> src/<folder>. So an
# #include against the order of docs/ARCHITECTURE.md is a build error, not a matter of review.

set(TENSORPOOL_LAYER_DIR "${CMAKE_BINARY_DIR}/layers")

# tensorpool_layer(<folder> SOURCES <file>... [USES <folder>...] [LINK <target>...])
function(tensorpool_layer folder)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LINK" ${ARGN})
  string(REPLACE "/" "_" name "${folder}")  # a folder in a folder: apps/files is the layer apps_files
  set(target "tensorpool_${name}")
  get_filename_component(link "${TENSORPOOL_LAYER_DIR}/${name}/${folder}" ABSOLUTE)
  get_filename_component(link_dir "${link}" DIRECTORY)
  file(MAKE_DIRECTORY "${link_dir}")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${link}" SYMBOLIC)

  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE tensorpool_flags)
    target_compile_options(${target} PRIVATE ${TENSORPOOL_FUZZ_OPTIONS})
    if(TENSORPOOL_COVERAGE AND folder MATCHES "^(base|core)$")
      target_compile_options(${target} PRIVATE -fno-exceptions)  # they throw none: their cleanup would count as branches
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} "${TENSORPOOL_LAYER_DIR}/${name}")
  target_link_libraries(${target} ${scope} tensorpool_headers)
  foreach(used IN LISTS arg_USES)
    target_link_libraries(${target} ${scope} tensorpool_${used})
  endforeach()
  if(arg_LINK)
    if(arg_SOURCES)
      target_link_libraries(${target} PRIVATE ${arg_LINK})
    else()
      target_link_libraries(${target} INTERFACE ${arg_LINK})
    endif()
  endif()
endfunction()
