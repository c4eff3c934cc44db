"""The names under which logs know user, item, time, event and value, and what an event weighs."""

from __future__ import annotations

import re

NAMES: dict[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "user", "uid", "customerid", "customer", "customerno", "clientid", "client"),
        *("visitorid", "visitor", "memberid", "member", "accountid", "account", "buyerid"),
        *("reviewerid", "reviewer", "personid", "person", "subscriberid", "msno", "username"),
        *("userhash", "userkey", "playerid", "listenerid", "readerid", "patientid", "studentid"),
        *("householdkey", "householdid", "household", "idcli", "clienteid", "usuarioid", "payerid"),
        "usernum",  # as LensKit numbers its users
        *("kundenr", "kundennummer", "kundenid", "kunde", "nutzerid", "nutzer", "usuario"),
        *("cliente", "idcliente", "idusuario", "idclient", "idutilisateur", "custid", "cust"),
        *("utilisateur", "email", "emailaddress", "userpseudoid", "anonymousid", "distinctid"),
        *("fullvisitorid", "profileid", "cookieid", "deviceid", "usersession"),
        *("sessionid", "session", "用户", "用户id"),
    ),
    "item_id": (
        *("itemid", "item", "iid", "productid", "product", "productno", "movieid", "movie"),
        *("stockcode", "sku", "parentasin", "asin", "articleid", "article", "goodsid", "goods"),
        *("trackid", "track", "songid", "song", "artistid", "bookid", "book", "isbn", "videoid"),
        *("video", "contentid", "content", "newsid", "postid", "gameid", "appid", "listingid"),
        *("business", "venue", "hotel", "recipe", "course", "game", "restaurant", "restaurantid"),
        *("hotelid", "venueid", "locationid", "poiid", "poi", "businessid", "recipeid"),
        *("courseid", "offerid", "adid", "animeid", "showid", "filmid", "商品", "商品id", "物品"),
        *("itemnum", "artikelnr", "artikelnummer", "artikelid", "artikel", "produktid", "produkt"),
        *(
            "idproducto",
            "idproduit",
            "idarticle",
            "articulo",
            "articuloid",
            "idarticulo",
            "produto",
        ),
        *(
            "idproduto",
            "produit",
            "producto",
            "productoid",
            "produitid",
            "produtoid",
            "ean",
            "gtin",
            "upc",
        ),
    ),
    "timestamp": (
        *("timestamp", "time", "datetime", "ts", "date", "eventtime", "eventtimestamp"),
        *("eventdate", "createdat", "created", "unixreviewtime", "reviewtime", "unixtime"),
        *("timestampms", "invoicedate", "orderdate", "purchasedate", "tdat", "playedat"),
        *("visittime", "checkintime", "ratedat", "updatedat", "zeitpunkt", "zeitstempel"),
        *(
            "when",
            "occurredat",
            "loggedat",
            "recordedat",
            "receivedat",
            "servertime",
            "datum",
            "fecha",
            "fechahora",
            "dateachat",
            "datecommande",
            "dateheure",
            "dt",
            "day",
            "时间",
            "日期",
        ),
    ),
    "order": ("position", "order", "seq", "sequence", "sequenceno", "step", "rank", "index"),
    "event": (
        *("eventtype", "event", "action", "actiontype", "behavior", "behaviour", "behaviortype"),
        *("behaviourtype", "interaction", "interactiontype", "activity", "eventname", "type"),
        *("click", "clicked", "isclick", "行为"),
    ),
    "rating": (
        "rating",
        "score",
        "stars",
        "overall",
        "ratingvalue",
        "grade",
        "vote",
        "bewertung",
        "评分",
    ),
    "quantity": (
        "quantity",
        "qty",
        "units",
        "amountofitems",
        "playcount",
        "plays",
        "count",
        "menge",
        "anzahl",
        "cantidad",
        "quantite",
        "quantidade",
        "数量",
    ),
    "duration": ("duration", "dwelltime", "watchtime", "playtime", "listentime", "watchduration"),
    "price": (
        "price",
        "unitprice",
        "amount",
        "revenue",
        "sales",
        "cost",
        "preis",
        "prix",
        "precio",
        "preco",
        "价格",
    ),
    "platform": ("platform", "device", "devicetype", "channel", "domain", "app", "os"),
}

# What an event says about taste: a purchase most, a view little. An impression says what was
# shown, not what was wanted: a tenth of a view, so that a log of impressions trains, yet one click
# outweighs ten of them. A weight of 0 keeps the event in the table and out of learning.
WEIGHTS: dict[str, float] = {
    **dict.fromkeys(("impression", "exposure", "show", "shown", "expose"), 0.1),
    **dict.fromkeys(("view", "pv", "click", "clicked", "visit", "open", "read", "detail"), 1.0),
    **dict.fromkeys(("play", "listen", "watch", "stream", "search", "browse", "unknown"), 1.0),
    **dict.fromkeys(("like", "fav", "favorite", "favourite", "wishlist", "bookmark", "save"), 2.0),
    **dict.fromkeys(("share", "follow", "collect", "comment", "review", "rate"), 2.0),
    **dict.fromkeys(("cart", "addtocart", "basket", "addtobasket", "checkout"), 3.0),
    **dict.fromkeys(("purchase", "buy", "order", "transaction", "sale", "bought"), 5.0),
    **dict.fromkeys(("download", "install", "subscribe", "conversion", "book", "booking"), 5.0),
    **dict.fromkeys(("removefromcart", "remove", "return", "refund", "cancel", "unlike"), 0.0),
    **dict.fromkeys(("dislike", "skip", "hide", "unfollow", "unsubscribe"), 0.0),
}
CLICK_NAMES = ("click", "clicked", "isclick")


# A basket or a session names one visit: it follows from the user, but says nothing about one.
VISITS = re.compile(
    r"session|invoice|order|transaction|basket|receipt|cart|visit(?!or)|trip|bill"
    r"|bestell|auftrag|rechnung|beleg|bonnr|bonid|kassenbon|warenkorb|pedido|factura|ticket"
    r"|commande|facture|panier|ordine|scontrino|订单|注文"
)
RECBOLE_TYPES = re.compile(r":(token|token_seq|float|float_seq)$")
# A mean over many, or a number of them, is no value of one event.
SUMMARIES = ("average", "avg", "mean", "num", "number", "total", "count", "min", "max", "prev")
MOST_WORDS = 6  # at the end of a name that may be a role's; a damaged name has thousands
ID_ENDINGS = ("id", "no", "nr", "sku", "isbn", "asin", "number", "key", "email", "name")


def plain(name: str) -> str:
    """A name without case, spaces, punctuation and RecBole's type: "User ID" is "user_id:token"."""
    return re.sub(r"[\W_]+", "", RECBOLE_TYPES.sub("", name.lower()))


def endings(name: str) -> list[str]:
    """What a name of several words ends in, in plain form: "Book-Rating" in "rating"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", RECBOLE_TYPES.sub("", name))
    words = [word.lower() for word in re.split(r"[\W_]+", spaced) if word]
    if not words or words[0] in SUMMARIES:
        return []
    return ["".join(words[n:]) for n in range(max(1, len(words) - MOST_WORDS), len(words))]


def weight_of(event: str) -> float:
    """The weight of an event type unless a person sets another; 1 for an unknown word."""
    return WEIGHTS.get(plain(event), 1.0)
