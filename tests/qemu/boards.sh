# SPDX-License-Identifier: Apache-2.0
#
# boards.sh - QEMU's boards that there are kernels for; sourced.
#
#   board_find ARCH          sets the array `board`; 77 if the emulator is not installed
#   board_disk FILE [CONF]   the words for a disk; CONF: a configuration of blkdebug
#   board_status STATUS      the exit status that the kernel meant

board_find() {
	case $1 in
	riscv64) board=(qemu-system-riscv64 -M virt -bios default ${QEMU_CPU:+-cpu "$QEMU_CPU"}) ;;
	arm64) board=(qemu-system-aarch64 -M virt,gic-version=2 -cpu "${QEMU_CPU:-cortex-a53}" -semihosting) ;;
	*) echo "there is no board for $1" >&2; return 1 ;;
	esac
	board_arch=$1
	board+=(-nographic -no-reboot -nodefaults -serial stdio -global virtio-mmio.force-legacy=false)
	if ! command -v "${board[0]}" >/dev/null; then
		echo "${board[0]} is not installed, skipped; run make setup"
		return 77
	fi
}

board_disk() {
	local file=$1
	[ -z "${2:-}" ] || file=blkdebug:$2:$1
	echo "-drive if=none,id=disk,format=raw,werror=report,rerror=report,file=$file" \
		"-device virtio-blk-device,drive=disk"
}

board_status() {
	echo "$1"
}
