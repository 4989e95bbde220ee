/* Accept, journal, answer, crash, recover: a model in Promela, checked exhaustively by Spin (tests/model/model_test.py).
 *
 * Two workers judge one code of one token, STEPS steps of it, each turn of a worker as in engine/core and
 * engine/journal: read the word, swap it to a greater one, take a position, write the block, wait until it and all
 * before it are durable, answer. A REPLAYED verdict carries the word that it rests on. A block in flight reaches the
 * disk at any time, in any order. The machine may die at any moment, CRASHES times, and in the middle of recovery: what
 * was in flight is then there or not. Recovery reads from position 1 to the first gap, takes the greatest word, burns
 * what it finds behind the gap, and writes the burns before it serves. A checkpoint may move the words into the store.
 *
 * Promise 1: a step is accepted at most once, told to clients (accepted[]).
 * Promise 2: what was told is in what recovery finds (the assertions at the end of recover).
 *
 * Each MUTANT_* leaves one rule out; the check must then fail. */

#define STEPS 2
#define WORKERS 2
#ifndef BLOCKS
#define BLOCKS 4 /* positions that a run of the model may use */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

/* The disk: what stands at each position. word: the floor in its record (0: no record there); durable: it has reached
 * the medium. Positions are 1 .. BLOCKS; verdict: 1 accepted, 2 replayed, 3 burned. */
typedef block { byte word; byte verdict; byte step; bool written; bool durable }
block disk[BLOCKS + 1];

byte floor;            /* the token word in memory: the least step still acceptable */
byte store_word;       /* the checkpoint: the word, and the position through which records are in it */
byte store_position;
byte next = 1;         /* position_next */
byte through = 0;      /* durable_through */
byte incarnation = 1;
byte crashes = 0;
bool down = false;     /* memory is gone; workers begin anew */
bool serving = true;

byte accepted[STEPS];  /* told to clients */
byte told_word;        /* the greatest floor that a told verdict stood for */

/* A process of a run that ended does nothing more. */
#define DEAD (down || era != incarnation)

inline advance() {
    do
    :: through + 1 < next && disk[through + 1].durable -> through++
    :: else -> break
    od
}

/* A worker's turn. Everything up to a switch of workers is one atomic step in the engine too: one atomic access. */
proctype worker(byte era) {
    byte step, seen, word, position, verdict;
    bool going = true;
    do
    :: !going || DEAD || next > BLOCKS -> break
    :: else ->
        if
        :: step = 0
        :: step = 1
        fi;
        verdict = 0;
        do
        :: verdict != 0 || DEAD -> break
        :: else ->
            seen = floor;
            if
            :: step >= seen ->
                atomic {
                    if
#ifdef MUTANT_NO_SWAP
                    :: true -> floor = step + 1; word = step + 1; verdict = 1
#else
                    :: floor == seen -> floor = step + 1; word = step + 1; verdict = 1
                    :: else -> skip /* lost the race: looks again */
#endif
                    fi
                }
            :: else -> word = seen; verdict = 2
            fi
        od;
        if
        :: DEAD || next > BLOCKS -> going = false
        :: else ->
            atomic {
                /* the critical section: position and place */
                if
                :: DEAD || next > BLOCKS -> going = false
                :: else ->
                    position = next;
                    next++;
                    disk[position].word = word;
                    disk[position].verdict = verdict;
                    disk[position].step = step;
                    disk[position].written = true;
                    disk[position].durable = false
                fi
            };
            if
            :: !going -> skip
            :: else ->
#ifndef MUTANT_ANSWER_EARLY
#ifdef MUTANT_ANSWER_OUT_OF_ORDER
                (DEAD || disk[position].durable);
#else
                (DEAD || through >= position);
#endif
#endif
                atomic {
                    if
                    :: DEAD -> going = false
                    :: else ->
                        /* told */
                        if
                        :: verdict == 1 ->
                            accepted[step]++;
                            assert(accepted[step] <= 1) /* promise 1 */
                        :: else -> skip
                        fi;
                        if
                        :: word > told_word -> told_word = word
                        :: else -> skip
                        fi;
                        seen = 0; word = 0; position = 0; verdict = 0; step = 0
                    fi
                }
            fi
        fi
    od
}

/* The disk: a block in flight reaches the medium, in any order. */
proctype medium() {
    byte i;
    do
    :: atomic { !down && next > 1 ->
           /* any one that is in flight */
           i = 1;
           do
           :: i < next && (!disk[i].written || disk[i].durable) -> i++
           :: i < next && disk[i].written && !disk[i].durable ->
               if
               :: disk[i].durable = true; break
               :: i++
               fi
           :: i >= next -> break
           od;
           advance();
           i = 0 }
    :: (down && crashes == CRASHES && next > BLOCKS) -> break
    od
}

/* Position noted first, the words read then, and only when all that was begun is durable are they put. */
proctype checkpoint() {
    byte position, word, begun;
    byte era;
    do
    :: atomic { !down && serving && through > store_position ->
#ifdef MUTANT_CHECKPOINT_AHEAD
           position = next - 1;
#else
           position = through;
#endif
           era = incarnation }
       word = floor;
       begun = next - 1;
#ifndef MUTANT_CHECKPOINT_AHEAD
       (DEAD || through >= begun);
#endif
       atomic {
           if
           :: DEAD -> skip
           :: else ->
               store_word = (word > store_word -> word : store_word);
               store_position = position
           fi;
           position = 0; word = 0; begun = 0 }
    :: down && crashes == CRASHES -> break
    od
}

/* Power fails, and the machine starts again; it may fail once more before it serves. */
proctype machine() {
    byte i, word, end, burned;
    do
    :: crashes < CRASHES ->
        atomic {
            down = true;
            serving = false;
            crashes++;
            /* what was in flight is there or not; memory is gone */
            i = 1;
            do
            :: i < next ->
                if
                :: disk[i].written && !disk[i].durable ->
                    if
                    :: disk[i].durable = true
                    :: disk[i].written = false; disk[i].word = 0; disk[i].verdict = 0
                    fi
                :: else -> skip
                fi;
                i++
            :: else -> break
            od;
            floor = 0
        };
        /* recovery: from the checkpoint to the first gap, then what lies behind it */
        atomic {
            word = store_word;
#ifdef MUTANT_NO_STORE
            word = 0;
#endif
            i = store_position + 1;
            do
            :: i < next && disk[i].written ->
#ifdef MUTANT_LAST_WINS
                word = disk[i].word;
#else
                word = (disk[i].word > word -> disk[i].word : word);
#endif
                i++
            :: else -> break
            od;
            end = i;
            burned = 0;
            /* intact blocks behind the gap: never told, consumed all the same */
            do
            :: i < next ->
                if
                :: disk[i].written -> burned = (disk[i].word > burned -> disk[i].word : burned)
                :: else -> skip
                fi;
                disk[i].written = false;
                disk[i].durable = false;
                disk[i].word = 0;
                i++
            :: else -> break
            od;
            next = end;
            through = end - 1;
            i = 0
        };
        /* promise 2: what was told is there */
        assert((word > burned -> word : burned) >= told_word);
        assert(word >= told_word);
        atomic {
#ifndef MUTANT_NO_BURN
            word = (burned > word -> burned : word);
#endif
            floor = word;
            incarnation++;
            down = false;
            serving = true;
            word = 0; end = 0; burned = 0
        };
        run worker(incarnation);
        run worker(incarnation)
    :: crashes < CRASHES && false -> skip
    :: crashes == CRASHES -> break
    od
}

init {
    atomic {
        run worker(1);
        run worker(1);
        run medium();
        run checkpoint();
        run machine()
    }
}
