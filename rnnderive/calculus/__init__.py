"""What a derivative is: one rule table, and what is assembled from it.

Jacobians, chains and steps, the adjoint (BPTT) and the tangent; the last two are recurrences.
"""

from rnnderive.calculus.adjoint import Adjoint, adjoint, truncated
from rnnderive.calculus.chain import Graph
from rnnderive.calculus.companion import first_order
from rnnderive.calculus.components import Component, components
from rnnderive.calculus.factors import Factor, OrderedProduct, State, SumOver, Total
from rnnderive.calculus.jacobian import jacobian, target
from rnnderive.calculus.masked import Masked, masked
from rnnderive.calculus.nodes import Group, Node, stacked
from rnnderive.calculus.rules import RULES, rule
from rnnderive.calculus.segments import Segments, segments
from rnnderive.calculus.steps import Step, steps
from rnnderive.calculus.tangent import dependents, tangent

__all__ = [
    "RULES",
    "Adjoint",
    "Component",
    "Factor",
    "Graph",
    "Group",
    "Masked",
    "Node",
    "OrderedProduct",
    "Segments",
    "State",
    "Step",
    "SumOver",
    "Total",
    "adjoint",
    "components",
    "dependents",
    "first_order",
    "jacobian",
    "masked",
    "rule",
    "segments",
    "stacked",
    "steps",
    "tangent",
    "target",
    "truncated",
]
