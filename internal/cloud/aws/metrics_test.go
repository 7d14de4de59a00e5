package aws_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

// watching is an account whose CloudWatch answers each call with a status and a document. It speaks CBOR, as the SDK does with CloudWatch and moto does not.
func watching(t *testing.T, answer func(call cbor.Map) (status int, document cbor.Map)) *aws.Account {
	t.Helper()
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(r.URL.Path, "/operation/GetMetricData") {
			t.Errorf("%s, %v", r.URL.Path, err)
		}
		call, err := cbor.Decode(body)
		if err != nil {
			t.Error(err)
		}
		status, document := answer(call.(cbor.Map))
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.WriteHeader(status)
		if _, err := w.Write(cbor.Encode(document)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return open(t, aws.Config{Endpoints: map[string]string{"": server.URL}}).Account("", "")
}

var measuredFrom = time.Date(2026, time.March, 4, 10, 0, 0, 0, time.UTC)

// measured is CloudWatch's answer to one query: values of successive minutes from a minute on.
func measured(id cbor.Value, status string, minute int, values ...float64) cbor.Value {
	times, list := cbor.List{}, cbor.List{}
	for n, value := range values {
		times = append(times, &cbor.Tag{ID: 1, Value: cbor.Float64(measuredFrom.Add(time.Duration(minute+n) * time.Minute).Unix())})
		list = append(list, cbor.Float64(value))
	}
	return cbor.Map{"Id": id, "StatusCode": cbor.String(status), "Timestamps": times, "Values": list}
}

func load(statistic string) cloud.MetricQuery {
	return cloud.MetricQuery{Namespace: "AWS/EC2", Name: "CPUUtilization", Dimensions: map[string]string{"b": "2", "a": "1"}, Statistic: statistic, Period: 5 * time.Minute, Unit: "Percent"}
}

func TestAMetricIsAskedForInCloudWatchsWords(t *testing.T) {
	var asked cbor.Map
	account := watching(t, func(call cbor.Map) (int, cbor.Map) {
		asked = call
		return http.StatusOK, cbor.Map{"MetricDataResults": cbor.List{measured(cbor.String("q0"), "Complete", 0, 1.5, 2.5)}}
	})
	found, err := account.Metrics(t.Context(), "us-east-1", []cloud.MetricQuery{load("p99.9"), load("Sum")}, measuredFrom, measuredFrom.Add(time.Hour))
	if err != nil || len(found) != 2 || len(found[0]) != 2 || len(found[1]) != 0 || !found[0][1].At.Equal(measuredFrom.Add(time.Minute)) || found[0][1].Value != 2.5 {
		t.Fatalf("%v, %v", found, err)
	}
	query := asked["MetricDataQueries"].(cbor.List)[0].(cbor.Map)["MetricStat"].(cbor.Map)
	metric := query["Metric"].(cbor.Map)
	dimension := metric["Dimensions"].(cbor.List)[0].(cbor.Map)
	got := fmt.Sprint(query["Stat"], query["Period"], query["Unit"], metric["Namespace"], metric["MetricName"], dimension["Name"], dimension["Value"], asked["ScanBy"])
	if want := fmt.Sprint("p99.9", 300, "Percent", "AWS/EC2", "CPUUtilization", "a", "1", "TimestampAscending"); got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	from, err := cbor.AsTime(asked["StartTime"])
	if err != nil || !from.Equal(measuredFrom) {
		t.Errorf("from %v, %v", from, err)
	}
}

func TestMetricsAreAskedForByFiveHundredAndReadToTheLastPage(t *testing.T) {
	var sizes []int
	account := watching(t, func(call cbor.Map) (int, cbor.Map) {
		queries, results := call["MetricDataQueries"].(cbor.List), cbor.List{}
		sizes = append(sizes, len(queries))
		minute := 2
		if call["NextToken"] != nil {
			minute = 0 // pages may come in any order
		}
		for n := range queries { // and so may answers
			id := queries[len(queries)-1-n].(cbor.Map)["Id"]
			results = append(results, measured(id, "PartialData", minute, float64(len(sizes)), float64(len(queries))))
		}
		document := cbor.Map{"MetricDataResults": append(results, measured(cbor.String("other"), "Complete", 0, 1))}
		if minute != 0 {
			document["NextToken"] = cbor.String("more")
		}
		return http.StatusOK, document
	})
	queries := make([]cloud.MetricQuery, 501)
	for n := range queries {
		queries[n] = load("Average")
	}
	found, err := account.Metrics(t.Context(), "us-east-1", queries, measuredFrom, measuredFrom.Add(time.Hour))
	if err != nil || len(found) != 501 || fmt.Sprint(sizes) != "[500 500 1 1]" {
		t.Fatalf("%d answers after %v, %v", len(found), sizes, err)
	}
	for n, c := range map[int]string{0: "[2 500 1 500]", 499: "[2 500 1 500]", 500: "[4 1 3 1]"} {
		var values []float64
		for minute, p := range found[n] {
			values = append(values, p.Value)
			if !p.At.Equal(measuredFrom.Add(time.Duration(minute) * time.Minute)) {
				t.Errorf("query %d has %v at place %d", n, p.At, minute)
			}
		}
		if fmt.Sprint(values) != c {
			t.Errorf("query %d is %v, want %s", n, values, c)
		}
	}
}

func TestAMetricThatCannotBeReadIsNamed(t *testing.T) {
	for status, isRefusal := range map[string]bool{"Forbidden": true, "InternalError": false} {
		account := watching(t, func(cbor.Map) (int, cbor.Map) {
			return http.StatusOK, cbor.Map{"MetricDataResults": cbor.List{measured(cbor.String("q0"), status, 0)}}
		})
		_, err := account.Metrics(t.Context(), "us-east-1", []cloud.MetricQuery{load("Sum")}, measuredFrom, measuredFrom.Add(time.Hour))
		var refusal *cloud.Refusal
		if err == nil || errors.As(err, &refusal) != isRefusal || !strings.Contains(err.Error(), "CPUUtilization of AWS/EC2") {
			t.Errorf("%s: %v", status, err)
		}
	}
	account := watching(t, func(cbor.Map) (int, cbor.Map) {
		return http.StatusBadRequest, cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#InvalidParameterValueException"), "message": cbor.String("no such period")}
	})
	_, err := account.Metrics(t.Context(), "us-east-1", []cloud.MetricQuery{load("Sum")}, measuredFrom, measuredFrom.Add(time.Hour))
	if r := isRefused(t, err, cloud.BadRequest); r.Message != "no such period" {
		t.Error(r)
	}
}
