// Package suggest finds the word that somebody may have meant.
//
// It owns what counts as near. It must not know what the words name. Start reading at Clause.
package suggest

import (
	"fmt"
	"slices"
)

// nearest is the known word that takes the fewest edits to reach, "" when none is close.
func nearest(word string, known []string) string {
	best, fewest := "", max(2, len(word)/2)+1
	for _, candidate := range known {
		if d := distance(word, candidate); d < fewest {
			best, fewest = candidate, d
		}
	}
	return best
}

// Clause is for the end of a sentence about an unknown word: `; did you mean "listen"?`, "" when no known word is near.
func Clause(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// distance counts the insertions, deletions and substitutions between two words.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j := range to {
			cost := 1
			if from[i] == to[j] {
				cost = 0
			}
			next := slices.Min([]int{row[j] + 1, row[j+1] + 1, diagonal + cost})
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(to)]
}
