/* Levels of doubling size (the last one no larger than what the limit lets come), each an open-addressed set that is at
 * most half full and a list of its marks in the order in which they came. A mark is looked for in all levels; each is
 * filled before the next one; they never move or shrink. */
#include "core/marks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum {
    FIRST_PLACES_LOG2_MIN = 10,
    FIRST_PLACES_LOG2_MAX = 20,
    LEVELS_MAX = 40 - FIRST_PLACES_LOG2_MIN,
};

struct level {
    uint64_t *places; /* 0: free */
    uint64_t *list;
    uint64_t place_mask;
    uint64_t capacity; /* of the list: half of the places */
    uint64_t count;
};

struct marks {
    pthread_mutex_t mutex;
    uint64_t marks_max;
    uint64_t count;
    uint64_t reserved; /* room that is held for marks to come */
    uint64_t capacity; /* of all levels */
    unsigned first_places_log2;
    unsigned level_count;
    unsigned filling; /* the level that the next mark goes into, unless it is full */
    struct level levels[LEVELS_MAX];
    uint8_t secret[CHECKSUM_SECRET_SIZE];
};

/* Pages that no mark uses are never touched. */
static struct result level_create(unsigned places_log2, struct level *ret_level)
{
    uint64_t places = (uint64_t)1 << places_log2;
    struct level level = {.place_mask = places - 1, .capacity = places / 2};
    level.places = calloc(places, sizeof *level.places);
    level.list = calloc(level.capacity, sizeof *level.list);
    if (!level.places || !level.list) {
        free(level.places);
        free(level.list);
        return result_of(NO_MEMORY);
    }
    *ret_level = level;
    return result_ok();
}

/* Of the first level: so many that half of them are what the limit lets come, within the two bounds. */
static unsigned places_log2_for(uint64_t marks_max)
{
    unsigned log2 = FIRST_PLACES_LOG2_MIN;
    while (log2 < FIRST_PLACES_LOG2_MAX && (uint64_t)1 << (log2 - 1) < marks_max) log2++;
    return log2;
}

struct result marks_create(uint64_t marks_max, const uint8_t secret[32], struct marks **ret_marks)
{
    struct marks *marks = calloc(1, sizeof *marks);
    if (!marks) return result_of(NO_MEMORY);
    marks->first_places_log2 = places_log2_for(marks_max);
    struct result result = level_create(marks->first_places_log2, &marks->levels[0]);
    if (result_failed(result)) {
        free(marks);
        return result;
    }
    pthread_mutex_init(&marks->mutex, NULL);
    marks->marks_max = marks_max;
    marks->level_count = 1;
    marks->capacity = marks->levels[0].capacity;
    checksum_secret(secret, marks->secret);
    *ret_marks = marks;
    return result_ok();
}

void marks_destroy(struct marks *marks)
{
    if (!marks) return;
    for (unsigned i = 0; i < marks->level_count; i++) {
        free(marks->levels[i].places);
        free(marks->levels[i].list);
    }
    pthread_mutex_destroy(&marks->mutex);
    free(marks);
}

uint64_t mark_of(const struct marks *marks, const uint8_t *digest, size_t digest_size)
{
    uint8_t hash[16];
    checksum128_keyed(digest, digest_size, marks->secret, hash);
    uint64_t mark = load_le64(hash);
    return mark ? mark : 1;
}

/* The mark's place, or the free one where it belongs; there always is one, half of them being free. */
static uint64_t *place_of(const struct level *level, uint64_t mark)
{
    uint64_t at = mark & level->place_mask;
    while (level->places[at] && level->places[at] != mark) at = (at + 1) & level->place_mask;
    return &level->places[at];
}

static bool has(const struct marks *marks, uint64_t mark)
{
    for (unsigned i = 0; i < marks->level_count; i++) {
        if (*place_of(&marks->levels[i], mark)) return true;
    }
    return false;
}

/* There is room. */
static void add(struct marks *marks, uint64_t mark)
{
    struct level *level = &marks->levels[marks->filling];
    if (level->count == level->capacity) level = &marks->levels[++marks->filling];
    *place_of(level, mark) = mark;
    level->list[level->count++] = mark;
    marks->count++;
}

bool marks_reserve(struct marks *marks)
{
    pthread_mutex_lock(&marks->mutex);
    uint64_t taken = marks->count + marks->reserved;
    bool room = taken < marks->capacity && taken < marks->marks_max;
    marks->reserved += room;
    pthread_mutex_unlock(&marks->mutex);
    return room;
}

void marks_release(struct marks *marks)
{
    pthread_mutex_lock(&marks->mutex);
    marks->reserved--;
    pthread_mutex_unlock(&marks->mutex);
}

bool marks_put(struct marks *marks, uint64_t mark)
{
    pthread_mutex_lock(&marks->mutex);
    bool is_new = !has(marks, mark);
    if (is_new) add(marks, mark);
    marks->reserved--;
    pthread_mutex_unlock(&marks->mutex);
    return is_new;
}

bool marks_has(struct marks *marks, uint64_t mark)
{
    pthread_mutex_lock(&marks->mutex);
    bool there = has(marks, mark);
    pthread_mutex_unlock(&marks->mutex);
    return there;
}

static struct result level_add(struct marks *marks, unsigned number)
{
    struct level level;
    if (marks->level_count == LEVELS_MAX) return result_of(NO_MEMORY);
    TRY(level_create(marks->first_places_log2 + number, &level));
    pthread_mutex_lock(&marks->mutex);
    marks->levels[marks->level_count++] = level;
    marks->capacity += level.capacity;
    pthread_mutex_unlock(&marks->mutex);
    return result_ok();
}

/* Which size the next level has. Beyond the limit, at a start after it was lowered: the next one. */
static unsigned level_wanted(const struct marks *marks)
{
    unsigned number = marks->level_count;
    if (marks->capacity >= marks->marks_max) return number;
    uint64_t left = marks->marks_max - marks->capacity;
    while (number > 0 && (uint64_t)1 << (marks->first_places_log2 + number - 2) >= left) number--;
    return number;
}

struct result marks_keep(struct marks *marks)
{
    pthread_mutex_lock(&marks->mutex);
    const struct level *newest = &marks->levels[marks->level_count - 1];
    unsigned number = level_wanted(marks);
    bool room = marks->capacity - marks->count > newest->capacity / 4 || marks->capacity >= marks->marks_max;
    pthread_mutex_unlock(&marks->mutex);
    return room ? result_ok() : level_add(marks, number);
}

struct result marks_restore(struct marks *marks, uint64_t mark)
{
    if (has(marks, mark)) return result_ok();
    if (marks->count == marks->capacity) TRY(level_add(marks, level_wanted(marks)));
    add(marks, mark);
    return result_ok();
}

uint64_t marks_count(struct marks *marks)
{
    pthread_mutex_lock(&marks->mutex);
    uint64_t count = marks->count;
    pthread_mutex_unlock(&marks->mutex);
    return count;
}

uint64_t marks_size(struct marks *marks)
{
    uint64_t size = sizeof *marks;
    pthread_mutex_lock(&marks->mutex);
    for (unsigned i = 0; i < marks->level_count; i++)
        size += (marks->levels[i].place_mask + 1 + marks->levels[i].capacity) * sizeof(uint64_t);
    pthread_mutex_unlock(&marks->mutex);
    return size;
}

uint32_t marks_read(struct marks *marks, uint64_t first, uint64_t ret_marks[MARKS_BLOCK])
{
    uint32_t count = 0;
    pthread_mutex_lock(&marks->mutex);
    for (unsigned i = 0; i < marks->level_count && count < MARKS_BLOCK; i++) {
        const struct level *level = &marks->levels[i];
        for (; first < level->count && count < MARKS_BLOCK; first++) ret_marks[count++] = level->list[first];
        if (first >= level->count) first -= level->count;
    }
    pthread_mutex_unlock(&marks->mutex);
    return count;
}
