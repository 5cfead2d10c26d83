"""The words that banks use for columns, directions and states, in the languages of their customers."""

from collections.abc import Sequence
from functools import lru_cache

from ledger.statements.dates import read_cell
from ledger.statements.text import fold

# A longer cell is a text about something.
MARK_MAX = 60

# The first role that fits decides, so the narrow ones come first. Phrases are compared with the whole name of a
# column; a word that begins with `*` may stand anywhere in it, also within a longer word.
_ROLES = {
    "direction": """
        dc; d c; cd; c d; dk; d k; kd; dr cr; cr dr; cr dr indicator;
        *credit debit; *debit credit; *debit or credit; af bij; bij af; 收 支; 收支; 收 付; 借贷; soll haben;
        haben soll; s h; h s; +; sh; direction; bevetel kiadas; kennzeichen; *indicator; transaction type;
        dare avere; debet credit; *debet kredit; debit kredit; тип операции; приход расход; signe; sens;
        in out; type de transaction; inflow outflow; 交易类型; προσημο; income expense; expense income;
        bejovo kimeno; smer uhrady; segno; *amountsign; *入出金; withdrawal deposit; deposit withdrawal;
        *debits and credits; *credits and debits; money in out; money out in; paid in out; paid out in
    """,
    "balance": """
        *balance; *saldo; *saldos; *solde; *kontostand; *egyenleg; *zustatek; *zostatok; *余额; *残高; *bakiye;
        *остаток; *баланс; stan konta; *stan po; *sold final; sold; *saldoen; *likutis; *jaak; *atlikums; *잔액;
        *kontostanden; *running bal; *رصيد; *餘額
    """,
    "other_amount": """
        *original amount; *originalamount; *orig amount; *foreign; *fremdwahrung; *fremdbetrag;
        *local amount; *local_amount; *local currency amount; *transaction currency amount;
        *amount in transaction currency;
        *instructed; *compensation; *poplatek; *commission; *kommission; *frais;
        *puvodni; *tax; *vat; *mwst; *charges; gross; brutto; *shipping; *insurance; *exchange; *wechselkurs;
        *kurs; *converted; *points; *cashback; *quantity; *price; *splittransaction amount; *split amount;
        split_amount; *counter value; *originalbetrag; *ausgangsbetrag; *urspr; *monto original;
        *importo originario; *limit; *credit line; *fee amount; *intl amount; currency amount
    """,
    "other_currency": """
        *original currency; *originalwahrung; *orig currency; *foreign currency; *fremdwahrung;
        *instructed currency; *oorspr munt; *oorspronkelijke munt; *divisa original; *moneda original;
        *devise d origine; *ursprungswahrung; *exchange currency; *waluta oryginalna; *valuta originale
    """,
    "fee": "fee; fees; *gebuhr; transaction fee; teenustasu",
    "out": """
        debit; *debit amount; *debit eur; debet; *debito; *debet amount; soll; *lastschrift;
        *belastung; *belastungen; ausgang; ausgange; ausgaben; withdrawal; *withdrawal amount;
        *withdrawal amt; *withdrawals; paid out; *money out; out; outflow; spent; *spending; dr; dr amount;
        af; uit; uitgaven; *wydatki; *obciazenia; *obciazenie; *kiadas; *terheles; *vydaje; *vydaj; debe;
        *cargo; *cargos; *retiro; *retiros; uscite; *addebiti; *addebito; dare; *saidas; *debitos; uttag; ut;
        ud; ud af konto; *ut av konto; ut fra konto; *расход; *списание; *支出; *支払; *出金; *引出; *출금;
        *borc; *giden; *cikis; *払出; *引き出し; *引出し; *提出; *提款; *支取; 提; *مدين; *سحب;
        *витрат; *видат; *дебет; *списання; *expense amount; expense; expenses; *ถอน; *בחובה;
        *дебит; *amount debit; *montant debit; *ghi no;
        payments; payment; *pagos; *egreso; *egresos; *gasto; *gastos; depenses; *sorties; *debiteur;
        *debits; valor debito; *izdaci; *isplata; *isplate; *duguje; funds out
    """,
    "in": """
        credit; credits; *credit amount; *credit eur; kredit; *credito; *kredit amount; haben; *gutschrift;
        *gutschriften; eingang; eingange; einnahmen; deposit; *deposit amount; *deposit amt;
        *deposits; paid in; *money in; in; inflow; received; cr; cr amount; bij; *wplywy; *uznania; *uznanie;
        *bevetel; *jovairas; *prijmy; *prijem; haber; *abono; *abonos; *deposito; *depositos; entrate;
        *accrediti; *accredito; avere; *entradas; *creditos; insattning; insattningar; ind; inn;
        ind pa konto; *inn pa konto; *приход; *поступление; *зачисление; *收入; *入金; *預入; *存入;
        *입금; receipts; *ingreso; *ingresos; recettes; *entrees; *crediteur; valor credito; *primici; *uplata;
        *uplate; *potrazuje; *lodgement; *alacak; *gelen; *giris; *受入; *預り; *預け入れ; 存; *دائن; *ايداع;
        *надходження; *зарахування; *кредит; *income amount; income; *ฝาก; *בזכות;
        *amount credit; *montant credit; *ghi co; funds in
    """,
    "value_date": """
        valuta; *valutadatum; *valuta datum; *valutadate; *wertstellung; *wertstellungsdatum;
        *wertstellungstag; *value date; *valuedate; *date de valeur; *date valeur; *fecha valor;
        *data valuta; *data waluty; *ertek; *ertekdatum; *ertekdatuma; *erteknap; *arvopaiva; *rentedatum;
        *rentedato; *interest date; *data valor; *valor datum; *datum valute; *valutadag; *date val; wert;
        value dt; *kuupaev valuuta; *settlement date; *clearing date; *posted date; *post date;
        *posting date; due date; *faelligkeit; datum zauctovani; *datum splatnosti; *reconcile date; *updated;
        *date processed; *processed date; *processeddate
    """,
    "date": """
        *date; *datum; *buchungstag; *buchung; *data; *fecha; *dato; *dag; *tag; *belegdatum; *datume;
        *paiva; *kuupaev; *datums; *dátum; *idopont; *时间; *日期; *日付; *年月日; *日時; *取引日; *дата; *tarih;
        *ημερομηνια; *תאריך; *التاريخ; *날짜; *거래일; *journaldate; created; *completed; *started; *time;
        *datetime; day; when; *bogforingsdag; *kirjauspaiva; *bokforingsdag; *transaktionsdag; *transaktionsdatum;
        *zeitpunkt;
        *created on; *timestamp; *kaufdatum; *einkaufsdatum; *tanggal; *tarikh; *dagsetning; *ngay;
        *วันที่; *거래일자; *거래일시
    """,
    "amount": """
        *amount; *amt; *betrag; *montant; *importe; *importo; *bedrag; *belopp; *belob; *belop; *kwota;
        *castka; *ciastka; *сумма; *сума; *osszeg; *osszege; valor; *monto; umsatz; *金额; *金額; *tutar;
        value; *summa; *netto; net; *sum; cost; *maara; *suma; *iznos; *znesek; *summe; *お支払金額; *금액;
        *ποσο; *סכום; *المبلغ; *netamount; *importe eur; *cantidad; *quantia; *kwota transakcji; *beloeb;
        *upphaed; *upphæð; *tutari; *jumlah; nominal; nominal transaksi; *利用金額; kosten; costo; coste; cout;
        custo
    """,
    "currency": """
        *currency; *ccy; *wahrung; *devise; *monnaie; *divisa; *moneda; *valuta; *muntsoort; *munt; *waluta;
        *mena; *deviza; *devizanem; *devizaneme; *валюта; curr; *cur; mon; monn; *moeda; *valyuta; *valiuta;
        *valuuta; *币种; *通貨; *통화; wrg; *commodity currency; *penznem; *מטבע
    """,
    "status": """
        *status; *state; *statetype; *stav; *etat; *estado; *stato; *statuts; *交易状态; *状态; *статус; *zustand;
        *tila; *durum; *buchungsstatus; *cleared status; *statut; *stan transakcji; *상태; *contabilizzazione;
        clr; cleared
    """,
    "category": """
        *kategorie; *categorie; *categoria; *kategoria; *category; *kategori; *категория; *分类;
        category name; *category group category; *费目; *カテゴリ;
        envelope; bucket; buckets; budget item
    """,
    "id": """
        id; transaction id; *transactionid; *trx id; *fitid; *id transakce; record id; uuid; *unique id;
        *transaktions id; *buchungs id; *numero de operacion; *reference id; *transaction number;
        *transaktionsnummer; *n de transaction; *numero d operation; *archivierungskennung; *referenssi;
        *archive id; transaction reference; *交易号; *transaction_id; *journal_id; *entry reference;
        *identifikator
    """,
    "payee": """
        payee; name; *merchant; *merchantname; *merchant name; *beneficiary; *counterparty;
        *counterparty name; *empfanger; *empfanger in; *zahlungsempfanger; *zahlungsempfanger in;
        *beguenstigter; *begunstigter; *beneficiaire; *tiers; naam;
        *naam tegenpartij; *kontrahent; *odbiorca; *beneficiario; *partner neve;
        *partner; *mottaker; *modtager; *vastaanottaja; *saaja;
        *name zahlungsbeteiligter; *nazev protiuctu; *opposing_account_name; *opposing account name;
        *to from; *paid to; *recipient; *counterpart; *商户; *交易对方; *お店; *利用店名; *получатель; *контрагент;
        *glaubiger; *saaja maksja nimi; *moksetojas; *mokstojo; *empfaenger; *tegenpartij; *contrepartie;
        *destination_name; *destinatario; *primalac; *tegenrekeninghouder; *counter party; other party;
        vendor; store; shop; payee payer; payee name; *target name; *saajan nimi; navn; namn; nimi
    """,
    "payer": """
        *auftraggeber; *nadawca; *ordenante; *zahlungspflichtiger; *zahlungspflichtige r; *maksaja; *source name;
        payer name
    """,
    "text": """
        *description; *descr; *details; *detail; *memo; *narrative; *narration; *particulars;
        *verwendungszweck; *buchungstext; *libelle; *communication; *omschrijving; *mededeling;
        *mededelingen; *concepto; *descripcion; *descrizione; *causale; *opis; *tytul; *popis; *zprava; *text;
        *tekst; *reference; *notes; *note; *摘要; *内容; *商品名称; *商品; *назначение; *описание;
        *kozlemeny; *selgitus; *viesti; *aciklama; *zweck; *buchungsdetails; *remittance information; *what;
        *item; *subject; *message; *keterangan; *bezeichnung; *umsatzart; *vorgang; *libelle simplifie; *motivo;
        *historico; *descricao; lancamento; *rubrik; *forklaring; *beskrivelse; *specification; *transaktion;
        *reason; *info; *お取引内容; *적요; *operacion; *nature; *payment details; *paskirtis; *maksajuma merkis
    """,
    "account": """
        *account; *account number; *account no; *account name; *konto; *kontonummer; *kontonr; *iban;
        *compte; *numero de compte; *rekening; *rekeningnummer; *cuenta; *rachunek; *numer rachunku;
        *cislo uctu; *szamlaszam; *auftragskonto; *iban auftragskonto; *iban kontoinhaber; *счет; *card no;
        *card number; *cardid; *karte; *kartennummer; *produit; *conto; *conta; *tili; *账户; *口座
    """,
    "check": "check number; check no; check; cheque number; cheque no; cheque; checknum; check num; num",
    "kind": """
        *type; *typ; *art; *code; *kind; *tags; *labels; *mode; *sub category; *subcategory; timezone; time zone
    """,
}  # fmt: skip


def _compile(names: str) -> tuple[frozenset[str], frozenset[str]]:
    """Split names into those of whole columns and those that may stand anywhere."""
    texts = [name.strip() for name in names.split(";") if name.strip()]
    anywhere = frozenset(fold(name) for name in texts if name.startswith("*") and fold(name))
    return frozenset(fold(name) for name in texts), anywhere


ROLES = {role: _compile(names) for role, names in _ROLES.items()}
HEADER_WORDS = frozenset(word for names, _ in ROLES.values() for name in names for word in name.split())

_OUT = """
    d; dr; db; debit; dbit; debet; soll; s; af; out; outflow; expense; withdrawal; withdraw; ausgang;
    belastung; lastschrift; 支出; debito; dare; cargo; egreso; gasto; kiadas; terheles; wydatek; obciazenie;
    расход; списание; uscita; debits; depense; paid; payment sent; spend; uit; ud; ut; charge; debit card;
    дебет; витрата; витрати; видаток; списання; borc; giden; مدين;
    χ; χρεωση; terhelés; výdaj; saída; saida; expenses; 出金; 출금; debetas; deb; geld uit; deebet;
    t; kimeno; odchozi; exp; transfer out; outgoing transfer; outgoing
"""
_IN = """
    c; k; cr; credit; crdt; kredit; haben; h; bij; in; inflow; income; deposit; eingang; gutschrift; 收入;
    credito; avere; abono; ingreso; bevetel; jovairas; wplyw; uznanie; приход; поступление; entrata; credits;
    recette; received; payment received; ind; inn; entrada; příjem; 入金; 입금; kreditas; cred; kreedit;
    refund; kr; π; πιστωση; кредит; надходження; зарахування; зачисление; alacak; gelen; دائن;
    a; j; bejovo; prichozi; transfer in; incoming transfer; incoming
"""
_NEUTRAL = "/; 不计收支; 其他; transfer; neutral; umbuchung; 转账; opening balance; balance; n a"
_PENDING = """
    pending; vorgemerkt; vormerkung; en attente; pendiente; in sospeso; authorised; authorized;
    authorization; authorisation; hold; on hold; noch nicht gebucht; nicht gebucht; reserved; reserviert;
    oczekuje; oczekujaca; pdng; ausstehend; in bearbeitung; in arbeitung; processing; a comptabiliser;
    en cours; in afwachting; gereserveerd; avventende; venter; reservert; reserveret; в обработке; ожидание;
    pendente; non contabilizzato; 处理中; 未確定; odotettavissa; varattu; fuggo; függő; nezauctovano; not posted;
    unposted; scheduled; uncleared pending; blocked; blokada; offen; autorizzato; autorizzata; autorizado;
    autorizada; autorise; autorisee; autorisiert; in lavorazione; en proceso; em processamento; retenido;
    retenida; a venir; ej bokford; preliminar; blokace; provizyon; en espera; on order; nicht verbucht;
    reserverat; reserverad; reservasjon; vantande; kommande; kommende; odottaa; w toku; zarolt; beklemede;
    in behandeling; oczekujace; da contabilizzare; 等待付款; 대기; ממתין; в ожидании; ожидает; в обробці; холд
"""
_CANCELLED = """
    reverted; declined; failed; cancelled; canceled; refused; rejected; denied; abgelehnt; storniert;
    fehlgeschlagen; refuse; rechazado; rifiutato; odrzucona; отклонено; отменено; 交易关闭; 已关闭; expired;
    void; annulee; annule; 취소; 승인취소; annullato; annullata; stornato; rifiutata; respinto; geweigerd;
    geannuleerd; teruggedraaid; ruckgangig; ruckgangig gemacht; anulado; anulada; cancelado; cancelada;
    rechazada; denegado; denegada; recusado; recusada; estornado; avbruten; makulerad; annulleret; afvist;
    avvist; peruttu; hylatty; anulowana; anulowano; odrzucono; cofnieto; zruseno; zamitnuto; elutasitva;
    iptal; iptal edildi; отклонена; отменена; отклонен; відхилено; скасовано; 取消; キャンセル; 已取消
"""
_BALANCES = """
    opening balance; closing balance; turnover; saldo inicial; saldo final; anfangssaldo; endsaldo;
    kontostand; balance brought forward; balance carried forward; brought forward; carried forward;
    beginning balance; ending balance; starting balance; solde initial; solde final; solde precedent;
    nouveau solde; alter kontostand; neuer kontostand; total balance; saldo poczatkowe; saldo koncowe;
    nyito egyenleg; zaro egyenleg; pocatecni zustatek; konecny zustatek; eindsaldo; beginsaldo;
    saldo anterior; saldo iniziale; saldo finale; 期初余额; 期末余额; initial balance; обороты; apyvarta;
    likutis pradziai; likutis pabaigai; algsaldo; loppsaldo; kaive; kaibed; alkusaldo; loppusaldo;
    ingaende saldo; utgaende saldo; saldo do dia; pradinis likutis; galutinis likutis; apgrozijums;
    sakuma atlikums; beigu atlikums; s a l d o; balance b f; balance c f; b f; c f; gesamtsaldo; opening bal;
    closing bal; saldo awal; saldo akhir; balance forward; previous balance; uvodni zustatek; saldo contabile;
    open balance; close balance
"""
# A shop can have such a name too, so these count only where there is no day, at an end of the table, or before
# a day in the same text.
_ENDS = "saldo; solde; balance; kontostand; stanje; stav; zustatek; bakiye; egyenleg; остаток; 余额; 残高"
_TOTALS = """
    total; totals; sum; summe; gesamt; subtotal; grand total; 合计; 合計; итого; summa;
    totale; totaal; celkem; razem; opening; closing; zwischensumme; sous total; subtotale;
    suma; ukupno; osszesen; 小計; 小计; 总计; 總計; 합계; סהכ; المجموع; รวม
"""


def _phrases(text: str) -> frozenset[str]:
    return frozenset(fold(phrase) for phrase in text.split(";"))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OUT, IN, NEUTRAL = _phrases(_OUT), _phrases(_IN), _phrases(_NEUTRAL)
CERTAINLY_PENDING = _phrases("vorgemerkt; umsatz vorgemerkt; vormerkung; pending")
PENDING, CANCELLED = _phrases(_PENDING), _phrases(_CANCELLED)
BALANCES, ENDS = _phrases(_BALANCES), _phrases(_ENDS)
TOTALS = _phrases(_TOTALS) | ENDS
_BEGINNINGS = frozenset(fold(phrase[:4]) for phrase in BALANCES | ENDS)
_BEFORE_DAYS = _words("as of on at per am vom zum au du le al a del dal do na k ke dne op van den w")
# A name alone can be that of the owner, where another column names the other side.
BARE_NAMES = _words("name naam navn namn nimi")
OTHER_SIDE = _words("tegenpartij counterparty recipient modtager mottaker vastaanottaja saaja")
# The last word of the name of a column for the first or the last day of a period.
PERIOD_ENDS = _words("von bis from to od do du au van vanaf tot desde hasta dal al fra til fran till")
# Columns that say of a line whether it is pending, and how they say that it is.
PENDING_COLUMNS = _phrases("pending; is pending; vorgemerkt; en attente; pendiente; in afwachting")
TRUE = _phrases("true; yes; y; 1; ja; oui; si; x")
ANSWERS = _phrases("true; false; yes; no")
# Columns that say of a line whether it is a transfer between accounts.
TRANSFER_COLUMNS = _phrases("transfer; is transfer; internal transfer")
TRANSFERS = _phrases("transfer; umbuchung; 转账")
# Words of accounts and of cards, which tell whose minus means what.
CARD_WORDS = _words(
    """
    card cards kreditkarte karte karten carte visa mastercard amex merchant merchantname tarjeta carta
    creditcard cartao kart karteninhaber kaartlid kaarthouder kortmedlem kortholder
    """
)
CARD_HEADERS = frozenset(
    ("transaction date", "trans date", "posted date", "post date", "clearing date", "what", "cost")
)
# Headers that only cards have, and no account, not even next to an amount that is left to pay.
CERTAIN_CARD_HEADERS = _phrases("利用日; ご利用日; 利用金額; ご利用金額; 利用店名; 利用店名 商品名")
WAGE_WORDS = _words(
    """
    salary payroll paycheck gehalt lohn salaire nomina stipendio wynagrodzenie salaris loon lon lonn vyplata
    salario sueldo salariu palkka palk mzda atlyginimas alga gaji зарплата заплата 工资 給料 給与 급여 משכורת راتب
    """
)
INCOME_WORDS = WAGE_WORDS | _words("interest zinsen deposit")
_INCOME_CATEGORIES = WAGE_WORDS | _phrases(
    """
    income; paychecks; wage; wages; inflow; einkommen; einnahmen; revenu; revenus; ingresos; entrate; reddito;
    inkomsten; inkomen
    """
)
# Of a repayment or a refund that only the bank or the shop can have written so, whatever its sign is.
CERTAIN_REPAYMENT_WORDS = _words(
    """
    thank received erhalten merci dank recebido recibido ricevuto ontvangen
    mottagen modtaget mottatt otrzymana recebida ricevuta
    refund erstattung gutschrift remboursement rimborso reembolso terugbetaling zwrot זיכוי
    """
)
REPAYMENT_WORDS = CERTAIN_REPAYMENT_WORDS | _words(
    "autopay payment cashback danke tack tak otrzymano pagamento indbetaling innbetaling inbetalning tesekkurler"
)


def marks_of(cells: Sequence[str]) -> set[str]:
    """Return what some cell of a record says of all of it: balance, total or pending."""
    # No phrase ends with a digit, as most days and amounts do, unless it ends with a day.
    marks = {
        _mark_of(cell) for cell in cells if cell and (cell[-1] not in "0123456789" or _begins_like_balance(cell))
    }
    marks.discard("")
    return marks


def is_total(cell: str) -> bool:
    """Tell whether a cell names a total, as in "Total for 2026-03-05" and "Net total"."""
    return bool(cell) and _mark_of(cell) == "total"


def is_income_category(name: str) -> bool:
    """Tell whether a category, or the group of categories before a colon, is named as income."""
    return bool(name) and fold(name.partition(":")[0]) in _INCOME_CATEGORIES


@lru_cache(maxsize=8192)
def _mark_of(cell: str) -> str:
    folded = fold(cell) if len(cell) <= MARK_MAX else ""
    if folded in CERTAINLY_PENDING:
        return "pending"
    if folded in BALANCES or (_begins_like_balance(cell) and _before_day(cell) in BALANCES | ENDS):
        return "balance"
    first, last = folded.partition(" ")[0], folded.rpartition(" ")[2]
    return "total" if folded in TOTALS or first in TOTALS or last in {"total", "totals"} else ""


def _begins_like_balance(cell: str) -> bool:
    return cell[:1].isalpha() and fold(cell[:4]) in _BEGINNINGS


def _before_day(cell: str) -> str:
    """Return the folded words of a text before the day at its end, without "as of"; nothing without a day."""
    words = cell.split() if len(cell) <= MARK_MAX else []
    count = next((count for count in range(1, 4) if read_cell(" ".join(words[-count:]))), 0)
    phrase = fold(" ".join(words[:-count])).split() if 0 < count < len(words) else []
    while phrase and phrase[-1] in _BEFORE_DAYS:
        phrase.pop()
    return " ".join(phrase)
