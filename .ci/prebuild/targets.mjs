// The addons that the package brings along, under the names that node-gyp-build looks for.

/**
 * `file`: below `prebuilds/`. `triple`: what Zig calls the target.
 *
 * glibc 2.17 is older than what Node 20 itself wants (2.28), so wherever Node runs, the addon does.
 */
export function targets(oldestMacOS) {
  return [
    { file: 'linux-x64/fd-handoff.glibc.node', triple: 'x86_64-linux-gnu.2.17', format: 'elf', machine: 'X86-64' },
    { file: 'linux-x64/fd-handoff.musl.node', triple: 'x86_64-linux-musl', format: 'elf', machine: 'X86-64' },
    { file: 'linux-arm64/fd-handoff.glibc.node', triple: 'aarch64-linux-gnu.2.17', format: 'elf', machine: 'AArch64' },
    { file: 'linux-arm64/fd-handoff.musl.node', triple: 'aarch64-linux-musl', format: 'elf', machine: 'AArch64' },
    { file: 'darwin-x64/fd-handoff.node', triple: `x86_64-macos.${oldestMacOS}`, format: 'mach-o', machine: 'X86_64' },
    {
      file: 'darwin-arm64/fd-handoff.node',
      triple: `aarch64-macos.${oldestMacOS}`,
      format: 'mach-o',
      machine: 'ARM64',
    },
  ];
}
