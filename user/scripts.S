/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scripts.S - the programs of lua/ as read-only data. The assembler looks for them where -I says.
 */
.macro script name, file
	.global \name
\name:
	.incbin "\file"
	.byte 0
.endm

	.section .rodata.scripts, "a"
	script script_nbody, "nbody.lua"
	script script_spectral, "spectral.lua"
	script script_sort, "sort.lua"
	script script_strings, "strings.lua"

	.section .note.GNU-stack, "", %progbits
