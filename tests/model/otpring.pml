/* Accept, journal, answer, crash, recover: a model in Promela, checked exhaustively by Spin (tests/model/model_test.py).
 *
 * WORKERS workers judge codes of one token, steps 0 .. STEPS - 1. A turn goes as in engine/core and engine/journal: read
 * the word, swap it to a greater one, take a position and write the block, wait until it and all before it are durable,
 * answer. A REPLAYED verdict carries the word that it rests on. Blocks in flight reach the medium at any time, in any
 * order. The machine may die at any moment, CRASHES times, also in the middle of a recovery: what was in flight is then
 * there or not, memory is gone. Recovery reads from the checkpoint to the first gap, takes the greatest word, and burns
 * what lies behind the gap. A checkpoint notes its position, then reads the word, and is put down when every turn begun
 * by then is durable.
 *
 * Promise 1: no step is told ACCEPTED twice. Promise 2: what was told is in what recovery finds.
 *
 * All is one process of guarded steps, so that a crash can take the workers' memory away at once; each step is one
 * atomic access or one event of the disk. Each MUTANT_* leaves one rule out, and the check must then fail. */

#ifndef BLOCKS
#define BLOCKS 4 /* positions that there is room for */
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define STEPS 2
#define WORKERS 2

/* Of a worker: what it does next. */
#define IDLE 0
#define READ 1
#define SWAPPED 2
#define WAITING 3

/* The disk, by position: the word of its record; whether the block was written, and reached the medium. */
byte word[BLOCKS + 1];
bool written[BLOCKS + 1];
bool durable[BLOCKS + 1];
byte store_word;     /* the checkpoint: the word, and the position through which records are in it */
byte store_position;

/* Memory. */
byte doing[WORKERS];
byte step[WORKERS];
byte seen[WORKERS];  /* the word read; then the word of the record */
bool right[WORKERS]; /* ACCEPTED */
byte position[WORKERS];
byte floor_word;     /* the token word: the least step still acceptable */
byte next = 1;
byte through;        /* durable-through */
byte saving;         /* the checkpoint: 0 idle, 1 position noted, 2 word read */
byte saving_position, saving_word, saving_begun;

/* What clients know. */
bool accepted[STEPS];
byte told_word;

byte crashes;

inline memory_gone() {
    i = 0;
    do
    :: i < WORKERS -> doing[i] = IDLE; step[i] = 0; seen[i] = 0; right[i] = false; position[i] = 0; i++
    :: else -> break
    od;
    floor_word = 0;
    saving = 0; saving_position = 0; saving_word = 0; saving_begun = 0
}

inline turn_begin(w) {
    if
    :: step[w] = 0
    :: step[w] = 1
    fi;
    seen[w] = floor_word;
    doing[w] = READ
}

inline turn_judge(w) {
    if
    :: step[w] < seen[w] -> right[w] = false; doing[w] = SWAPPED
#ifdef MUTANT_NO_SWAP
    :: step[w] >= seen[w] ->
        floor_word = step[w] + 1; seen[w] = step[w] + 1; right[w] = true; doing[w] = SWAPPED
#else
    :: step[w] >= seen[w] && floor_word == seen[w] ->
        floor_word = step[w] + 1; seen[w] = step[w] + 1; right[w] = true; doing[w] = SWAPPED
    :: step[w] >= seen[w] && floor_word != seen[w] -> seen[w] = floor_word /* lost the race: looks again */
#endif
    fi
}

inline turn_append(w) {
    position[w] = next;
    word[next] = seen[w];
#ifdef MUTANT_REPLAY_WITHOUT_WORD
    word[next] = (right[w] -> seen[w] : 0);
#endif
    written[next] = true;
    durable[next] = false;
    next++;
    doing[w] = WAITING
}

inline turn_answer(w) {
    if
    :: right[w] ->
        assert(!accepted[step[w]]); /* promise 1 */
        accepted[step[w]] = true
    :: else -> skip
    fi;
    told_word = (seen[w] > told_word -> seen[w] : told_word);
    doing[w] = IDLE; step[w] = 0; seen[w] = 0; right[w] = false; position[w] = 0
}

inline block_lands() {
    /* any one of those in flight */
    i = 1;
    do
    :: i < next && written[i] && !durable[i] -> durable[i] = true; break
    :: i < next -> i++
    :: i >= next -> break
    od;
    do
    :: through + 1 < next && durable[through + 1] -> through++
    :: else -> break
    od
}

/* Power fails: a block in flight is there or not. */
inline crash() {
    crashes++;
    i = 1;
    do
    :: i < next && written[i] && !durable[i] ->
        if
        :: durable[i] = true
        :: written[i] = false; word[i] = 0
        fi;
        i++
    :: i < next && !(written[i] && !durable[i]) -> i++
    :: i >= next -> break
    od;
    memory_gone()
}

inline recover() {
    found = store_word;
    i = store_position + 1;
    do
    :: i < next && written[i] ->
#ifdef MUTANT_LAST_WINS
        found = word[i];
#else
        found = (word[i] > found -> word[i] : found);
#endif
        i++
    :: else -> break
    od;
    assert(found >= told_word); /* promise 2 */
    through = i - 1;
    /* Behind the gap: consumed, though nobody was told; the record of it is the next run's first. */
    burned = 0;
    do
    :: i < next ->
        burned = (written[i] && word[i] > burned -> word[i] : burned);
        written[i] = false; durable[i] = false; word[i] = 0;
        i++
    :: else -> break
    od;
    next = through + 1;
    floor_word = found;
    if
    :: burned > found && next <= BLOCKS ->
        floor_word = burned;
        word[next] = burned; written[next] = true; durable[next] = true;
        next++; through++
    :: else -> skip
    fi;
    found = 0; burned = 0
}

active proctype engine() {
    byte i, w, found, burned;
    do
    :: atomic { next <= BLOCKS && doing[0] == IDLE -> turn_begin(0) }
    :: atomic { next <= BLOCKS && doing[1] == IDLE -> turn_begin(1) }
    :: atomic { doing[0] == READ -> turn_judge(0) }
    :: atomic { doing[1] == READ -> turn_judge(1) }
    :: atomic { doing[0] == SWAPPED && next <= BLOCKS -> turn_append(0) }
    :: atomic { doing[1] == SWAPPED && next <= BLOCKS -> turn_append(1) }
#ifdef MUTANT_ANSWER_EARLY
    :: atomic { doing[0] == WAITING -> turn_answer(0) }
    :: atomic { doing[1] == WAITING -> turn_answer(1) }
#else
#ifdef MUTANT_ANSWER_OUT_OF_ORDER
    :: atomic { doing[0] == WAITING && durable[position[0]] -> turn_answer(0) }
    :: atomic { doing[1] == WAITING && durable[position[1]] -> turn_answer(1) }
#else
    :: atomic { doing[0] == WAITING && through >= position[0] -> turn_answer(0) }
    :: atomic { doing[1] == WAITING && through >= position[1] -> turn_answer(1) }
#endif
#endif
    :: atomic { through + 1 < next -> block_lands(); i = 0 }
#ifdef MUTANT_WORDS_BEFORE_POSITION
    :: atomic { saving == 0 -> saving_word = floor_word; saving_begun = next - 1; saving = 1 }
    :: atomic { saving == 1 && through > store_position -> saving_position = through; saving = 2 }
#else
    :: atomic { saving == 0 && through > store_position -> saving_position = through; saving = 1 }
    :: atomic { saving == 1 -> saving_word = floor_word; saving_begun = next - 1; saving = 2 }
#endif
    :: atomic { saving == 2 && through >= saving_begun && doing[0] != SWAPPED && doing[1] != SWAPPED ->
           store_word = saving_word;
           store_position = saving_position;
           saving = 0; saving_position = 0; saving_word = 0; saving_begun = 0 }
    :: atomic { crashes < CRASHES -> crash(); recover(); i = 0 }
    :: atomic { crashes + 1 < CRASHES -> crash(); crashes++; recover(); memory_gone(); recover(); i = 0 } /* and again before it serves */
    od
}
