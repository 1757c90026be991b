# SPDX-License-Identifier: Apache-2.0
# what: the victim's dirty bit is taken from another frame of the batch (HAZARDS B1)
# files: core/evict.c
s/b->write\[i\] = b->write\[i\] || b->ops\[i\]\.dirty;/b->write[i] = b->write[i] || b->ops[(i + 1) % b->n].dirty;/
