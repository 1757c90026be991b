# SPDX-License-Identifier: Apache-2.0
#
# boards.sh - QEMU's boards that there are kernels for; sourced.
#
#   board_find ARCH          sets the array `board`; 77 if the emulator is not installed
#   board_disk FILE [CONF]   the words for a disk; CONF: a configuration of blkdebug. It has a geometry so
#                            that QEMU need not read its first sector, which would count as a read
#   board_status STATUS      the exit status that the kernel meant

board_find() {
	case $1 in
	riscv64) board=(qemu-system-riscv64 -M virt -bios default ${QEMU_CPU:+-cpu "$QEMU_CPU"}) ;;
	arm64) board=(qemu-system-aarch64 -M virt,gic-version=2 -cpu "${QEMU_CPU:-cortex-a53}" -semihosting) ;;
	x86_64) board=(qemu-system-x86_64 -M microvm,acpi=off,pic=off,pit=off,rtc=off -cpu "${QEMU_CPU:-max}"
		-device isa-debug-exit,iobase=0xf4,iosize=0x04) ;;
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
		"-device virtio-blk-device,drive=disk,cyls=1,heads=1,secs=1"
}

# The exit device of x86_64 cannot give 0: 85 stands for it, and 0 is a machine that reset itself.
board_status() {
	case $board_arch:$1 in
	x86_64:85) echo 0 ;;
	x86_64:0) echo 255 ;;
	*) echo "$1" ;;
	esac
}
