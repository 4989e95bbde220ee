/* The stages in plain C from some item on: what vectors leave over. Room-internal. */
#ifndef OTPRING_KERNEL_STAGES_FROM_H
#define OTPRING_KERNEL_STAGES_FROM_H

#include "kernel/stages.h"

void stage_hash_names_from(const struct stage_names *names, size_t first);
void stage_find_from(struct stage_find *find, size_t first); /* adds to the masks, as the next one does */
void stage_look_from(struct stage_look *look, size_t first);
void stage_check_from(struct stage_check *check, size_t first);
void stage_record_some(const struct stage_record *record, uint64_t which);

#endif
