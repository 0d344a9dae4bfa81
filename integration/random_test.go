package integration

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"
	"time"
)

// eachRound runs f with a source of random numbers of its own: as often as fits into the time, or as MLBUILD_ROUNDS says. MLBUILD_SEED is the seed of the first round, and
// that of each further one is one more: MLBUILD_SEED=… MLBUILD_ROUNDS=1 is a round once again.
func eachRound(t *testing.T, budget time.Duration, f func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	seed, rounds := fromEnv(t, "MLBUILD_SEED", time.Now().UnixNano()/1000), fromEnv(t, "MLBUILD_ROUNDS", 0)
	began, n := time.Now(), int64(0)
	for ; n < rounds || rounds == 0 && time.Since(began) < budget; n++ {
		t.Run(fmt.Sprint("seed ", seed+n), func(t *testing.T) { f(t, rand.New(rand.NewSource(seed+n))) })
	}
	t.Logf("%d rounds in %.0f s; MLBUILD_SEED=%d MLBUILD_ROUNDS=%d runs them again", n, time.Since(began).Seconds(), seed, n)
}

func fromEnv(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
