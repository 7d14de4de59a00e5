package feeds

import (
	"context"
	"encoding/json"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

const (
	listFor   = 24 * time.Hour  // AWS changes list prices a few times a year
	listAgain = 5 * time.Minute // after a failure
	listPages = 4               // read in one look, of some thirty: whoever asks for prices waits ten seconds at most
)

// priceList is the price list of a region as far as it has been read.
type priceList struct {
	next    time.Time
	busy    bool
	product int // the one that is being read, as numbered by catalog.Products
	token   *string
	read    []cloud.Price
	prices  map[string][]cloud.Price // by product, the last complete reading
}

// listPrices are on-demand prices, of those products whose part of the list has been read. Each look reads on a little. That the list can't be read is no
// failure: the catalogue's prices hold then.
func (r *Region) listPrices(ctx context.Context, now time.Time) []cloud.Price {
	if l, mine := r.claimList(now); mine && r.Pricing != nil {
		err := r.readList(ctx, &l, now)
		r.keepList(l, err, now)
		if err != nil {
			r.lacks("pricing", "On-demand prices are the built-in ones, as the price list can't be read; allow pricing:GetProducts.", r.Cause("GetProducts", err))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []cloud.Price
	for _, product := range catalog.Products() {
		list = append(list, r.list.prices[product]...)
	}
	return list
}

// claimList lets one of those who look at once read on.
func (r *Region) claimList(now time.Time) (priceList, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list.busy || now.Before(r.list.next) {
		return priceList{}, false
	}
	r.list.busy = true
	return r.list, true
}

func (r *Region) keepList(l priceList, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.busy = false
	switch {
	case r.isDenied(err):
		l.next = now.Add(listFor)
	case err != nil:
		l.next, l.token, l.read = now.Add(listAgain), nil, nil // the token may be what AWS did not like
	}
	r.list = l
}

func (r *Region) readList(ctx context.Context, l *priceList, now time.Time) error {
	for range listPages {
		product := catalog.Products()[l.product]
		page, err := r.Pricing.GetProducts(ctx, listed(r.Name, product, l.token))
		if err != nil {
			return err
		}
		for _, text := range page.PriceList {
			if p, ok := r.listPrice(text, product, now); ok {
				l.read = append(l.read, p)
			}
		}
		if l.token = page.NextToken; l.token == nil || *l.token == "" {
			l.finish(product, now)
		}
		if l.product == 0 && l.token == nil {
			r.works("pricing")
			return nil
		}
	}
	return nil
}

// finish keeps a product's prices, and goes on to the next, tomorrow after the last.
func (l *priceList) finish(product string, now time.Time) {
	prices := map[string][]cloud.Price{product: newest(l.read)}
	for other, list := range l.prices {
		if other != product {
			prices[other] = list
		}
	}
	l.prices, l.read, l.token = prices, nil, nil
	if l.product++; l.product == len(catalog.Products()) {
		l.product, l.next = 0, now.Add(listFor)
	}
}

// newest leaves one price of each market, the newest.
func newest(list []cloud.Price) []cloud.Price {
	at := map[cloud.Market]int{}
	var kept []cloud.Price
	for _, p := range list {
		n, known := at[p.Market]
		switch {
		case !known:
			at[p.Market] = len(kept)
			kept = append(kept, p)
		case p.From.After(kept[n].From):
			kept[n] = p
		}
	}
	return kept
}

// listed asks for instances that are paid by the hour and bring no software of others.
func listed(region, product string, token *string) *pricing.GetProductsInput {
	in := &pricing.GetProductsInput{ServiceCode: awssdk.String("AmazonEC2"), FormatVersion: awssdk.String("aws_v1"), MaxResults: awssdk.Int32(100), NextToken: token}
	for _, f := range [][2]string{
		{"regionCode", region}, {"operatingSystem", systems[product]}, {"tenancy", "Shared"}, {"capacitystatus", "Used"}, {"preInstalledSw", "NA"},
		{"licenseModel", "No License required"}, {"marketoption", "OnDemand"},
	} {
		in.Filters = append(in.Filters, types.Filter{Type: types.FilterTypeTermMatch, Field: awssdk.String(f[0]), Value: awssdk.String(f[1])})
	}
	return in
}

// systems are the price list's names of products.
var systems = map[string]string{catalog.Linux: "Linux", catalog.Windows: "Windows", catalog.SUSE: "SUSE", catalog.RHEL: "RHEL"}

// entry is one product of the price list, as far as it matters here.
type entry struct {
	Product struct {
		Attributes struct {
			InstanceType    string `json:"instanceType"`
			OperatingSystem string `json:"operatingSystem"`
			RegionCode      string `json:"regionCode"`
			Tenancy         string `json:"tenancy"`
			Software        string `json:"preInstalledSw"`
			Capacity        string `json:"capacitystatus"`
			License         string `json:"licenseModel"`
		} `json:"attributes"`
	} `json:"product"`
	Terms struct {
		OnDemand map[string]struct {
			From       time.Time `json:"effectiveDate"`
			Dimensions map[string]struct {
				Unit  string            `json:"unit"`
				Price map[string]string `json:"pricePerUnit"`
			} `json:"priceDimensions"`
		} `json:"OnDemand"`
	} `json:"terms"`
}

// listPrice reads one product; false for what is no price in dollars that holds now.
func (r *Region) listPrice(text, product string, now time.Time) (cloud.Price, bool) {
	var e entry
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return cloud.Price{}, false // one product that can't be read keeps its built-in price
	}
	is := e.Product.Attributes
	if is.InstanceType == "" || is.RegionCode != r.Name || is.OperatingSystem != systems[product] || is.Tenancy != "Shared" || is.Software != "NA" ||
		is.Capacity != "Used" || is.License != "No License required" {
		return cloud.Price{}, false
	}
	p := cloud.Price{Market: cloud.Market{Region: r.Name, Type: is.InstanceType, Product: product, Lifecycle: cloud.OnDemand}}
	for _, term := range e.Terms.OnDemand {
		for _, d := range term.Dimensions {
			price, err := money.ParsePrice(d.Price["USD"])
			if err == nil && price > 0 && d.Unit == "Hrs" && !term.From.After(now) && (p.Price == 0 || term.From.After(p.From)) {
				p.Price, p.From = price, term.From.UTC()
			}
		}
	}
	return p, p.Price > 0
}
