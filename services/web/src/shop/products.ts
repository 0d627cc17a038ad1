/** What the demo shop sells, and how each bag is drawn. Prices in Turkish lira. */
import { html, type TemplateResult } from "lit";

export interface Product {
  readonly name: string;
  readonly note: string;
  readonly weight: string;
  readonly price: number;
  readonly bag: string;
  readonly label: string;
  readonly ink: string;
  readonly tag?: string;
}

export const PRODUCTS: readonly Product[] = [
  {
    name: "Kaçkar Espresso",
    note: "Kakao, fındık, kara üzüm",
    weight: "250 g",
    price: 289,
    bag: "#3b2a23",
    label: "#f0dfc8",
    ink: "#3b2a23",
    tag: "Çok satan",
  },
  {
    name: "Ege Filtre",
    note: "Portakal kabuğu, bal, çiçek",
    weight: "250 g",
    price: 315,
    bag: "#3f6b6a",
    label: "#f6efe2",
    ink: "#28484a",
  },
  {
    name: "Mardin Dibek",
    note: "Kakule, damla sakızı, menengiç",
    weight: "200 g",
    price: 245,
    bag: "#a8552f",
    label: "#fbeedd",
    ink: "#7a3e1d",
    tag: "Yeni",
  },
  {
    name: "Kafeinsiz Yayla",
    note: "Karamel, badem, elma",
    weight: "250 g",
    price: 299,
    bag: "#c9b38c",
    label: "#fffaf0",
    ink: "#5b4a2c",
  },
];

/** A bag of coffee with the product's label on it. */
export function bag(product: Product): TemplateResult {
  return html`<svg viewBox="0 0 200 220" role="img" aria-label=${product.name}>
    <ellipse cx="100" cy="204" rx="62" ry="8" fill="#000" opacity=".10"></ellipse>
    <path d="M48 40h104l10 156a8 8 0 0 1-8 8H46a8 8 0 0 1-8-8z" fill=${product.bag}></path>
    <path d="M48 40h104l1.500 22H46.500z" fill="#000" opacity=".16"></path>
    <path d="M52 18h96a4 4 0 0 1 4 4v20H48V22a4 4 0 0 1 4-4z" fill=${product.bag}></path>
    <path d="M48 30h104" stroke="#fff" stroke-opacity=".28" stroke-width="3"></path>
    <path d="M132 62l12 142h10a8 8 0 0 0 8-8l-9-134z" fill="#000" opacity=".08"></path>
    <rect x="62" y="84" width="76" height="84" rx="4" fill=${product.label}></rect>
    <path d="M100 96c13 6 13 28 0 34-13-6-13-28 0-34z" fill=${product.ink}></path>
    <path d="M100 98c-6 10 6 20 0 30" fill="none" stroke=${product.label} stroke-width="2.500"></path>
    <path d="M74 144h52M80 153h40" stroke=${product.ink} stroke-width="3" stroke-linecap="round" opacity=".75"></path>
  </svg>`;
}

/** The hills above the tea line and a cup, for the head of the page. */
export function hills(): TemplateResult {
  return html`<svg class="hills" viewBox="0 0 1100 400" preserveAspectRatio="xMaxYMax slice" aria-hidden="true">
    <circle cx="716" cy="120" r="54" fill="#f2b866"></circle>
    <path d="M420 400c80-120 150-190 250-190 80 0 110 60 180 60s130-110 250-120v250z" fill="#c3cfae"></path>
    <path d="M300 400c120-80 220-120 320-110s150 60 250 40 150-80 230-90v160z" fill="#93b08d"></path>
    <path d="M0 400c160-34 330-60 520-40s380 30 580-50v90z" fill="#5f8a6c"></path>
    <g transform="translate(820 190)">
      <path d="M62-18c-16-20 14-28 0-52M104-22c-16-20 14-28 0-52M146-18c-16-20 14-28 0-52" fill="none" stroke="#fffaf2"
        stroke-width="6" stroke-linecap="round" opacity=".85"></path>
      <path d="M196 46c46-12 60 58-6 62" fill="none" stroke="#fffaf2" stroke-width="16"></path>
      <path d="M6 20h196l-12 112a34 34 0 0 1-34 30H52a34 34 0 0 1-34-30z" fill="#fffaf2"></path>
      <path d="M150 20h52l-12 112a34 34 0 0 1-34 30h-30c16-40 24-90 24-142z" fill="#f0e3d0"></path>
      <ellipse cx="104" cy="20" rx="98" ry="16" fill="#fffaf2"></ellipse>
      <ellipse cx="104" cy="21" rx="86" ry="12" fill="#4a2a17"></ellipse>
      <ellipse cx="96" cy="20" rx="52" ry="6" fill="#8a5a34"></ellipse>
      <ellipse cx="104" cy="168" rx="140" ry="12" fill="#48705a"></ellipse>
      <path d="M-30 160h268c-10 12-40 18-70 18H40c-30 0-60-6-70-18z" fill="#fffaf2"></path>
    </g>
  </svg>`;
}
