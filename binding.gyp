{
  # What `npm install` (where there is no prebuilt binary) and prebuildify build with. Sources come from native/sources.cjs.
  'target_defaults': {
    'defines': ['NAPI_VERSION=8'],
    'defines!': ['_FILE_OFFSET_BITS=64'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++20', '-std=gnu++17'],
    # None of Node's own flags, and these in the order of CMakeLists.txt: so native tests run what users compile, and ccache has it once.
    'cflags_cc': [
      '-O3',
      '-fPIC',
      '-fvisibility=hidden',
      '-fvisibility-inlines-hidden',
      '-std=c++17',
      '-Wall',
      '-Wextra',
      '-Wno-unused-function',
      '-fno-math-errno',
    ],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
    },
    'msvs_settings': { 'VCCLCompilerTool': { 'ExceptionHandling': 1, 'AdditionalOptions': ['/std:c++17'] } },
    'configurations': {
      'Debug': { 'cflags_cc!': ['-O3'] },
      'Release': {
        'cflags/': [['exclude', '.']],
        # MSVC's C++ library linked in: not every Windows has it.
        'msvs_settings': { 'VCCLCompilerTool': { 'RuntimeLibrary': 0 } },
      },
    },
  },
  'targets': [
    {
      'target_name': 'receptive',
      'sources': [
        '<!@(node native/sources.cjs runtime)',
        '<!@(node native/sources.cjs ops)',
        '<!@(node native/sources.cjs binding)',
      ],
      'conditions': [
        ['target_arch=="x64"', { 'dependencies': ['kernels_avx512', 'kernels_avx2', 'kernels_sse2'] }],
        ['target_arch=="arm64"', { 'dependencies': ['kernels_neon'] }],
        ['OS=="linux"', { 'ldflags': ['-Wl,--version-script=<(module_root_dir)/native/binding/exports.map'] }],
      ],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'kernels_avx512',
          'type': 'static_library',
          'sources': ['<!@(node native/sources.cjs kernels)'],
          'defines': ['RECEPTIVE_ISA=avx512'],
          'cflags_cc': ['<!@(node native/sources.cjs flags avx512 gcc)'],
          'xcode_settings': { 'OTHER_CFLAGS': ['<!@(node native/sources.cjs flags avx512 gcc)'] },
          'msvs_settings': { 'VCCLCompilerTool': { 'AdditionalOptions': ['<!@(node native/sources.cjs flags avx512 msvc)'] } },
        },
        {
          'target_name': 'kernels_avx2',
          'type': 'static_library',
          'sources': ['<!@(node native/sources.cjs kernels)'],
          'defines': ['RECEPTIVE_ISA=avx2'],
          'cflags_cc': ['<!@(node native/sources.cjs flags avx2 gcc)'],
          'xcode_settings': { 'OTHER_CFLAGS': ['<!@(node native/sources.cjs flags avx2 gcc)'] },
          'msvs_settings': { 'VCCLCompilerTool': { 'AdditionalOptions': ['<!@(node native/sources.cjs flags avx2 msvc)'] } },
        },
        {
          'target_name': 'kernels_sse2',
          'type': 'static_library',
          'sources': ['<!@(node native/sources.cjs kernels)'],
          'defines': ['RECEPTIVE_ISA=sse2'],
          'cflags_cc': ['<!@(node native/sources.cjs flags sse2 gcc)'],
          'xcode_settings': { 'OTHER_CFLAGS': ['<!@(node native/sources.cjs flags sse2 gcc)'] },
          'msvs_settings': { 'VCCLCompilerTool': { 'AdditionalOptions': ['<!@(node native/sources.cjs flags sse2 msvc)'] } },
        },
      ],
    }],
    ['target_arch=="arm64"', {
      'targets': [
        {
          'target_name': 'kernels_neon',
          'type': 'static_library',
          'sources': ['<!@(node native/sources.cjs kernels)'],
          'defines': ['RECEPTIVE_ISA=neon'],
          'cflags_cc': ['<!@(node native/sources.cjs flags neon gcc)'],
          'xcode_settings': { 'OTHER_CFLAGS': ['<!@(node native/sources.cjs flags neon gcc)'] },
        },
      ],
    }],
  ],
}
