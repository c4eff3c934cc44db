"""Arrays → scores. Needs numpy, scipy and torch, nothing else."""

from core.models.als import ALS
from core.models.content import Content
from core.models.ease import EASE
from core.models.ensemble.auto import Auto
from core.models.ensemble.fusion import Fusion
from core.models.gfcf import GFCF
from core.models.lightgcn import LightGCN, SimGCL
from core.models.mlp_rating import MLPRating
from core.models.neighbours import ItemKNN, UserKNN
from core.models.neumf import NeuMF
from core.models.popularity import Popularity, RecentPopularity
from core.models.recvae import RecVAE
from core.models.transitions import Transitions
from core.models.two_tower import TwoTower
from core.models.unified import Unified
from core.types import Recommender

MODELS: dict[str, type[Recommender]] = {
    "popularity": Popularity,
    "recent_popularity": RecentPopularity,
    "item_knn": ItemKNN,
    "user_knn": UserKNN,
    "transitions": Transitions,
    "ease": EASE,
    "als": ALS,
    "content": Content,
    "gfcf": GFCF,
    "lightgcn": LightGCN,
    "simgcl": SimGCL,
    "recvae": RecVAE,
    "two_tower": TwoTower,
    "neumf": NeuMF,
    "mlp_rating": MLPRating,
    "unified": Unified,
    "fusion": Fusion,
    "auto": Auto,
}
