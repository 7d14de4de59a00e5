package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// record is one line of a table, by column name.
type record map[string]string

// eachRecord calls take for every line of a CSV file, which may be gzipped.
func eachRecord(path string, take func(record) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var plain io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if plain, err = gzip.NewReader(file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	rows := csv.NewReader(plain)
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		named := make(record, len(header))
		for i, column := range header {
			named[column] = row[i]
		}
		if err := take(named); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}
